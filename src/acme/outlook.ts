import type { BucketLevel, Outlook } from '../core/ports.ts';
import { limitText } from '../core/renewal/limit-words.ts';
import type { Instant } from '../core/types.ts';
import type { Charge } from './charges.ts';

/** The state of a bucket by its key. */
export type Levels = ReadonlyMap<string, BucketLevel | undefined>;

/** When each order could go: in turn, as if those before it had gone as soon as they could. Pure. */
export function outlooks(
  orders: readonly (readonly Charge[])[],
  levels: Levels,
  now: Instant,
): readonly Outlook[] {
  const spent = new Map<string, number>();
  return orders.map((charges) => {
    const waits = charges.map((charge) => {
      const { key, cost } = charge.take;
      const before = spent.get(key) ?? 0;
      spent.set(key, before + cost);
      return { charge, readyAt: readyAt(charge, { level: levels.get(key), before, now }) };
    });
    const [last] = waits.filter((wait) => wait.readyAt > now).toSorted((a, b) => b.readyAt - a.readyAt);
    if (last === undefined) return { readyAt: now };
    const { name, about, limit } = last.charge;
    return { readyAt: last.readyAt, limit: limitText({ name, about, ...limit }) };
  });
}

function readyAt(
  { take: { cost, least = 0, perSecond } }: Charge,
  {
    level,
    before,
    now,
  }: { readonly level: BucketLevel | undefined; readonly before: number; readonly now: Instant },
): Instant {
  if (level === undefined) return now;
  const missing = Math.max(cost, least) + before - level.tokens;
  const own = before === 0 || missing <= 1e-9 ? now : now + Math.ceil((missing * 1000) / perSecond);
  return Math.max(level.readyAt, own);
}
