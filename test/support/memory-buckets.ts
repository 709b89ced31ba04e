import type { Buckets } from '../../src/core/ports.ts';
import type { BucketTake, Instant } from '../../src/core/types.ts';

const hour = 3_600_000;

interface Bucket {
  readonly capacity: number;
  readonly perSecond: number;
  readonly settleMs: number;
  tokens: number;
  at: Instant;
  /** Taken since `turn`, and before; not yet counted by the other side. */
  young: number;
  old: number;
  turn: Instant;
}

type Stored = Pick<Bucket, 'tokens' | 'at' | 'young' | 'old' | 'turn'>;

/** Token buckets in memory, with the rules of the real ones; `test/store/buckets-alike.test.ts` holds them to that. */
export function createMemoryBuckets(): Buckets {
  const stored = new Map<string, Stored>();

  function load(take: BucketTake, now: Instant): Bucket {
    const { capacity, perSecond, settleMs = 0 } = take;
    const full = { tokens: capacity, at: now, young: 0, old: 0, turn: now };
    const bucket = { ...(stored.get(take.key) ?? full), capacity, perSecond, settleMs };
    bucket.tokens = Math.min(capacity, bucket.tokens);
    // Where nothing was pending, nobody remembers the turn.
    if (pending(bucket) === 0) bucket.turn = now;
    if (Math.max(bucket.at, bucket.turn) > now + hour) {
      bucket.at = Math.min(bucket.at, now);
      bucket.turn = Math.min(bucket.turn, now);
      save(take.key, bucket);
    }
    while (pending(bucket) > 0 && bucket.turn + settleMs <= now) settle(bucket);
    refill(bucket, now);
    if (pending(bucket) === 0) bucket.turn = Math.max(bucket.turn, now);
    return bucket;
  }

  function save(key: string, { tokens, at, young, old, turn }: Bucket): void {
    stored.set(key, { tokens, at, young, old, turn });
  }

  /** The same bucket may come twice: both see what the other did. */
  function each<T>(
    takes: readonly BucketTake[],
    now: Instant,
    deed: (bucket: Bucket, take: BucketTake) => T,
  ): { readonly answers: readonly T[]; keep(isChanged: (take: BucketTake) => boolean): void } {
    const buckets = new Map<string, Bucket>();
    for (const take of takes) if (!buckets.has(take.key)) buckets.set(take.key, load(take, now));
    const of = ({ key }: BucketTake) => buckets.get(key) as Bucket;
    return {
      answers: takes.map((take) => deed(of(take), take)),
      keep: (isChanged) => {
        for (const take of takes.filter(isChanged)) save(take.key, of(take));
      },
    };
  }

  return {
    async take(takes, now) {
      const { answers, keep } = each(takes, now, (bucket, { cost, least = 0, mayOwe = false }) => {
        const waitMs = mayOwe ? 0 : waitFor(bucket, Math.max(cost, least), now);
        if (bucket.settleMs > 0) bucket.young += cost;
        else bucket.tokens -= cost;
        return waitMs;
      });
      const lacking = takes
        .map((take, index) => ({ take, waitMs: answers[index] ?? 0 }))
        .filter(({ waitMs }) => waitMs > 0)
        .toSorted((a, b) => b.waitMs - a.waitMs)
        .map(({ take }) => take);
      if (lacking.length === 0) keep(({ cost }) => cost > 0);
      return { taken: lacking.length === 0, readyAt: now + Math.max(0, ...answers), lacking };
    },
    async giveBack(takes, now) {
      const { keep } = each(takes, now, (bucket, { cost, takenAt = 0 }) => {
        if (takenAt >= bucket.turn) bucket.young = Math.max(0, bucket.young - cost);
        else if (takenAt >= bucket.turn - bucket.settleMs) bucket.old = Math.max(0, bucket.old - cost);
      });
      keep(() => true);
    },
    async drain(takes, until, now) {
      const { keep } = each(takes, now, (bucket) => {
        const then = 1 - ((until - now) * bucket.perSecond) / 1000;
        const tokens = Math.min(bucket.tokens - pending(bucket), then);
        Object.assign(bucket, { tokens, young: 0, old: 0, turn: now });
      });
      keep(() => true);
    },
    async fill(takes, now) {
      const { keep } = each(takes, now, (bucket) =>
        Object.assign(bucket, { tokens: bucket.capacity, young: 0, old: 0 }),
      );
      keep(() => true);
    },
    async levels(takes, now) {
      return each(takes, now, (bucket, { cost, least = 0 }) => ({
        tokens: bucket.tokens - pending(bucket),
        readyAt: now + waitFor(bucket, Math.max(cost, least), now),
      })).answers;
    },
  };
}

function pending({ young, old }: Stored): number {
  return young + old;
}

function refill(bucket: Bucket, to: Instant): void {
  if (to <= bucket.at) return;
  bucket.tokens = Math.min(bucket.capacity, bucket.tokens + ((to - bucket.at) * bucket.perSecond) / 1000);
  bucket.at = to;
}

/** What was taken before this turn has been counted. */
function settle(bucket: Bucket): void {
  bucket.turn += bucket.settleMs;
  refill(bucket, bucket.turn);
  bucket.tokens -= bucket.old;
  bucket.old = bucket.young;
  bucket.young = 0;
}

function waitFor(bucket: Bucket, need: number, now: Instant): number {
  if (bucket.tokens - pending(bucket) >= need - 1e-9) return 0;
  const then = { ...bucket };
  for (;;) {
    const owed = pending(then);
    const readyAt = then.at + ((need + owed - then.tokens) * 1000) / then.perSecond;
    if (owed === 0 || (need + owed <= then.capacity && readyAt <= then.turn + then.settleMs))
      return Math.ceil(Math.max(1, Math.min(readyAt - now, 1e15)));
    settle(then);
  }
}
