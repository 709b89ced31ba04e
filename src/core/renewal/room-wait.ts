import { longestWaitMs } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Instant, RenewalState } from '../types.ts';
import { configuredIssuers, patience, weightOf } from './failover.ts';
import { failureOf } from './failure.ts';
import { type Held, type OutcomeNeeds, stillValid } from './held.ts';
import type { Blow } from './lessons.ts';
import { unpaused, withRoom } from './pause.ts';
import { remember } from './remember.ts';
import { putOff } from './request.ts';
import { lookForRoomAt } from './room-look.ts';
import { urgentAt } from './urgency.ts';

/** Our own ledger of the CA's limits has no room, or foresaw that the CA would say so. */
export function isWait(error: AgentError): boolean {
  return error.facts.budget !== undefined;
}

const raise =
  'Name another issuer for the domain, or ask the CA to raise the limit: until it takes the order, what is held comes nearer to its expiry.';

/**
 * Not a failure: no ladder, and a request stays open. Nor a notice, but for the reminders where nobody is served meanwhile,
 * or where it has come so far that the order is sent without room and does not get through.
 */
export async function waitForRoom(held: Held, { error, issuer }: Blow, needs: OutcomeNeeds): Promise<void> {
  const { lineage, certificate } = held;
  const now = needs.clock.now();
  const issuers = configuredIssuers(lineage, needs.settings());
  const limit = typeof error.facts.budget === 'string' ? error.facts.budget : error.message;
  const validUntil = stillValid(certificate, now);
  const isLong = weightOf(error, now, validUntil) >= patience;
  const urgent = urgentAt(held, needs.settings().renewalCeilingMs) ?? now;
  const isLate = validUntil === undefined || urgent <= now;
  const random = needs.random();
  await remember(held, needs, ({ state }) => {
    const full = { ...state.waiting?.full, [issuer]: roomOf(error, now) };
    const open = withRoom(unpaused(issuers, state.paused, now), full, now);
    const goesOn = isLong && open.some((one) => (state.issuerFailures[one] ?? 0) === 0);
    const count = (state.waiting?.count ?? 0) + 1;
    const valid = validUntil === undefined ? undefined : { notAfter: validUntil, urgentAt: urgent };
    const look = { rooms: Object.values(full), held: valid, count, random };
    const retryAt = goesOn ? now : lookForRoomAt(look, now);
    const failure = failureOf(error, issuer, now);
    const next: RenewalState = {
      ...state,
      failingSince: state.failingSince ?? (isLate ? now : undefined),
      lastFailure: isLate && validUntil !== undefined ? { ...failure, advice: raise } : failure,
      retryAt,
      waiting: { issuer, limit, count, full },
      requested: state.requested && !goesOn ? putOff(state.requested, retryAt) : state.requested,
    };
    return { state: next };
  });
  needs.log.info({ lineage: lineage.id, issuer, limit }, 'the order waits for room in the limits of the CA');
}

function roomOf({ retryAt }: AgentError, now: Instant): Instant {
  return Math.min(Math.max(retryAt ?? now, now), now + longestWaitMs);
}
