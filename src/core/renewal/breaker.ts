import type { Instant } from '../types.ts';

const minute = 60_000;
const firstMs = minute;
const longestMs = 60 * minute;

/** A stretch of time in which one order may probe an issuer whose breaker is open. */
export interface Slot {
  /** undefined: it is too early for a probe. */
  readonly startsAt: Instant | undefined;
  readonly endsAt: Instant;
}

/**
 * The ladder of an issuer, one for all lineages: it is probed a minute after its breaker opened, then each time that it
 * has been away for twice as long, and at least once an hour. So one that is back is found so within the time that it was
 * away, and never later than an hour.
 */
export function slotAt(openedAt: Instant, now: Instant): Slot {
  // Opened by a clock that stood ahead: nobody knows for how long.
  const from = openedAt <= now ? openedAt : 0;
  const away = now - from;
  if (away < firstMs) return { startsAt: undefined, endsAt: from + firstMs };
  let [start, length] = [firstMs, firstMs];
  for (; length < longestMs && start + length <= away; length = Math.min(start, longestMs)) start += length;
  start += Math.floor((away - start) / length) * length;
  return { startsAt: from + start, endsAt: from + start + length };
}

/**
 * When a lineage that does not probe looks again by itself: it is woken when the breaker closes, so this is for when the
 * prober, or that call, was lost. `random`: in [0, 1).
 */
export function lookAgainAt({ startsAt, endsAt }: Slot, random: number): Instant {
  return startsAt === undefined ? endsAt : endsAt + Math.floor(random * longestMs);
}
