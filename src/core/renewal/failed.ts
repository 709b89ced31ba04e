import { laterOf, nextAttempt } from '../backoff.ts';
import type { Instant, RenewalState } from '../types.ts';
import { blockEndsAt, blockedBy, isBlock, unblocked } from './blocked.ts';
import { hasFreshIssuer, patience, weightOf } from './failover.ts';
import { failureOf } from './failure.ts';
import { type Held, stillValid } from './held.ts';
import { leaveOut } from './left-out.ts';
import type { Blow } from './lessons.ts';
import { pausedBy, pausedUntil, unpaused } from './pause.ts';
import { wishAfterFailure } from './request.ts';

/** What the next state follows from. */
export interface FailedCase extends Blow {
  readonly held: Held;
  /** Those of the lineage that the configuration file defines. */
  readonly issuers: readonly string[];
  /** Faults of this issuer in a row, for whomever. */
  readonly outages: number;
  readonly now: Instant;
  readonly random: number;
}

/** What is remembered after an attempt that failed. Pure. */
export function failed(before: RenewalState, context: FailedCase): RenewalState {
  const { held, error, issuer, issuers, ordered, now, random } = context;
  const validUntil = stillValid(held.certificate, now);
  const state = {
    ...before,
    waiting: undefined,
    failingSince: before.failingSince ?? now,
    issuerFailures: blame(before, context),
    lastFailure: failureOf(error, issuer, now),
  };
  // That its issuer is still away is no fault of this lineage, which was the one to try.
  const behind = context.outages > 0 ? context.probe : undefined;
  const failures = behind === undefined ? state.failures + 1 : state.failures;
  const paused = pausedBy(error, { before: before.paused, issuer, ordered, random }, now);
  const blocked = blockedBy(error, { before: before.blocked, issuer, random }, now);
  const open = unblocked(unpaused(issuers, paused, now), blocked, now);
  // Another order mends it at once: at the next issuer, or without the names that were refused.
  const goesOn = isBlock(error, now) && open.length > 0;
  if (goesOn || hasFreshIssuer(open, state.issuerFailures, issuer))
    return told({ ...state, failures, paused, blocked, retryAt: now }, context);
  const leftOut = leftOutAfter(state, context);
  if (leftOut !== undefined) return told({ ...state, leftOut, retryAt: now }, context);
  const { retryAt: asked } = error;
  // Only the issuer that paused it is blocked, not the others.
  const retry = error.code === 'acme.paused' ? 'later' : error.retry;
  const own = behind?.endsAt ?? nextAttempt({ failures, retry, validUntil, random }, now);
  const retryAt =
    (open.length === 0 ? firstEnd(issuers, { paused, blocked }, now) : undefined) ?? laterOf(own, asked, now);
  const requested = wishAfterFailure(state, held.state, retryAt);
  return told({ ...state, failures, paused, blocked, retryAt, requested }, context);
}

/** When the first of them may be asked again; undefined: there are none. */
function firstEnd(
  issuers: readonly string[],
  { paused, blocked }: Pick<RenewalState, 'paused' | 'blocked'>,
  now: Instant,
): Instant | undefined {
  const ends = issuers.map((one) =>
    Math.max(blockEndsAt(one, blocked, now), pausedUntil([one], paused, now) ?? now),
  );
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function blame(
  { issuerFailures }: RenewalState,
  { held, error, issuer, outages, now }: FailedCase,
): RenewalState['issuerFailures'] {
  // With its breaker open the issuer has failed for others too: this lineage need not find out for itself.
  const weight = outages >= patience ? patience : weightOf(error, now, stillValid(held.certificate, now));
  return { ...issuerFailures, [issuer]: (issuerFailures[issuer] ?? 0) + weight };
}

/** A CA that blames one name at a time is not asked again for each of them at once. */
const mostRounds = 3;
const roundsMs = 600_000;

function roundsOf(leftOut: RenewalState['leftOut'], now: Instant): number {
  const recent = Object.values(leftOut ?? {}).filter(({ failure }) => failure.at > now - roundsMs);
  return new Set(recent.map(({ failure }) => failure.at)).size;
}

function leftOutAfter(
  { leftOut, lastFailure }: RenewalState,
  { held, error, ordered, now, random }: FailedCase,
): RenewalState['leftOut'] {
  if (held.domain.partial !== true || lastFailure === undefined) return undefined;
  if (roundsOf(leftOut, now) >= mostRounds) return undefined;
  const validUntil = stillValid(held.certificate, now);
  return leaveOut(leftOut, { error, failure: lastFailure, ordered, validUntil, random }, now);
}

/** People hear of it once: at the third failure, and at once of what only they can mend or what leaves names unserved. */
function told(state: RenewalState, { held, error, now }: FailedCase): RenewalState {
  const isTrusted = stillValid(held.certificate, now) !== undefined && state.revokedAt === undefined;
  const isUnserved = !isTrusted || state.leftOut !== undefined;
  const tellNow = error.retry === 'blocked' || state.failures >= 3 || isUnserved;
  return tellNow && state.reminders.toldAt === undefined
    ? { ...state, reminders: { ...state.reminders, toldAt: now } }
    : state;
}
