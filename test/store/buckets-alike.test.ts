import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Buckets } from '../../src/core/ports.ts';
import type { BucketTake, Instant } from '../../src/core/types.ts';
import { createMemoryStore } from '../support/memory.ts';
import { moreRuns } from '../support/more-runs.ts';
import { startStore, type TestStore } from '../support/store.ts';

let held: TestStore;
let runs = 0;

beforeAll(async () => {
  held = await startStore();
});
afterAll(() => held?.stop());

const minute = 60_000;
const shapes = [
  { capacity: 3, perSecond: 1 / 60 },
  { capacity: 4, perSecond: 1 / 120, settleMs: 2 * minute },
  { capacity: 1, perSecond: 1 / 3600 },
];
const takes = fc.array(
  fc
    .record({
      shape: fc.nat({ max: shapes.length - 1 }),
      cost: fc.nat({ max: 2 }),
      least: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
      mayOwe: fc.constantFrom(false, false, true),
      ago: fc.nat({ max: 5 * minute }),
    })
    .map(({ shape, ...take }) => ({ ...take, shape: shapes[shape] ?? shapes[0], key: `${shape}` })),
  { minLength: 1, maxLength: 4 },
);
const events = fc.array(
  fc.record({
    deed: fc.constantFrom('take', 'take', 'take', 'giveBack', 'drain', 'fill'),
    takes,
    // A clock may be set back, too.
    ms: fc.oneof(fc.nat({ max: 5 * minute }), fc.integer({ min: -180 * minute, max: 180 * minute })),
    until: fc.nat({ max: 90 * minute }),
  }),
  { minLength: 5, maxLength: 15 },
);

type Event = typeof events extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

async function carryOut(buckets: Buckets, event: Event, now: Instant, run: number) {
  const list = event.takes.map(
    ({ shape, key, ago, ...take }) =>
      ({ ...take, ...shape, key: `${run}/${key}`, takenAt: now - ago }) as BucketTake,
  );
  const answer = await answerOf(buckets, { ...event, list, now });
  const levels = await buckets.levels(list, now);
  return { answer, levels: levels.map(({ tokens, readyAt }) => ({ tokens: tokens.toFixed(6), readyAt })) };
}

async function answerOf(
  buckets: Buckets,
  { deed, list, now, until }: Event & { readonly list: readonly BucketTake[]; readonly now: Instant },
): Promise<unknown> {
  if (deed === 'drain') return buckets.drain(list, now + until, now);
  if (deed === 'take') return buckets.take(list, now);
  return deed === 'fill' ? buckets.fill(list, now) : buckets.giveBack(list, now);
}

it('buckets in memory, which properties stand on, answer as those in the store, whatever is done to both', async () => {
  const run = async (history: readonly Event[]) => {
    const memory = createMemoryStore().buckets;
    let now = Date.UTC(2026, 10, 20);
    runs++;
    for (const event of history) {
      now += event.ms;
      const [real, ours] = await Promise.all(
        [held.store.buckets, memory].map((buckets) => carryOut(buckets, event, now, runs)),
      );
      expect(ours).toEqual(real);
    }
  };
  await fc.assert(fc.asyncProperty(events, run), { numRuns: moreRuns(150) });
});
