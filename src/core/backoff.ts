import type { Retry } from './errors.ts';
import type { Instant, RenewalState } from './types.ts';

const minute = 60_000;
const day = 86_400_000;

/** First steps of the ladder; after them an eighth of the remaining validity. */
const steps = [minute, 10 * minute, 100 * minute];

/** A day and its spread. */
export const longestLadderMs = Math.ceil(1.11 * day);

/** Retry-After is believed up to this. */
export const longestWaitMs = 7 * day;

export interface Setback {
  /** Failures since the last success, this one included. */
  readonly failures: number;
  readonly retry: Retry;
  /** From the CA's Retry-After or a known limit. */
  readonly retryAt?: Instant | undefined;
  /** Expiry of a certificate that is still valid. */
  readonly validUntil?: Instant | undefined;
  /** In [0, 1). */
  readonly random: number;
}

/** When to try again after a setback: the later of the ladder and what the other side asked for. */
export function nextAttempt(setback: Setback, now: Instant): Instant {
  return laterOf(now + ladderMs(setback, now), setback.retryAt, now);
}

/** The later of our own rule and what the other side asked for, as far as that is believed. */
export function laterOf(own: Instant, asked: Instant | undefined, now: Instant): Instant {
  return Math.max(own, Math.min(asked ?? own, now + longestWaitMs));
}

/** A stored instant that no rule could have set (the clock jumped) counts as due. */
export function believable(
  retryAt: Instant | undefined,
  now: Instant,
  longestMs = longestWaitMs + day,
): Instant | undefined {
  if (retryAt === undefined) return undefined;
  return retryAt > now + longestMs ? now : retryAt;
}

/** As believable, for a lineage: after a verdict on its names nobody but the ladder had a say. */
export function believableRetry(
  { retryAt, lastFailure }: Pick<RenewalState, 'retryAt' | 'lastFailure'>,
  now: Instant,
): Instant | undefined {
  return believable(retryAt, now, lastFailure?.code.startsWith('challenge.') ? longestLadderMs : undefined);
}

function ladderMs({ failures, retry, validUntil, random }: Setback, now: Instant): number {
  if (retry === 'blocked') return spread(day, random);
  const step = steps[failures - 1];
  // A step must not outlive a certificate of an hour or two.
  if (step !== undefined) return Math.min(step, Math.max(pastLadderMs(validUntil, now), minute));
  return spread(pastLadderMs(validUntil, now), random);
}

/** What follows the first steps of the ladder: an eighth of the remaining validity. */
export function pastLadderMs(validUntil: Instant | undefined, now: Instant): number {
  const remaining =
    validUntil === undefined || validUntil <= now ? Number.POSITIVE_INFINITY : validUntil - now;
  return Math.min(Math.max(remaining / 8, 10 * minute), day);
}

function spread(ms: number, random: number): number {
  return Math.round(ms * (0.9 + 0.2 * random));
}
