import { longestWaitMs } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Instant, RenewalState } from '../types.ts';
import { configuredIssuers, patience, weightOf } from './failover.ts';
import { failureOf } from './failure.ts';
import { type Held, type OutcomeNeeds, stillValid } from './held.ts';
import type { Blow } from './lessons.ts';
import { unpaused, withRoom } from './pause.ts';
import { remember } from './remember.ts';
import { urgentFrom } from './renewal.ts';
import { putOff } from './request.ts';

/** Our own ledger of the CA's limits has no room, or foresaw that the CA would say so. */
export function isWait(error: AgentError): boolean {
  return error.facts.budget !== undefined;
}

/** Not a failure: no ladder, no notice, and a request stays open. */
export async function waitForRoom(held: Held, { error, issuer }: Blow, needs: OutcomeNeeds): Promise<void> {
  const { lineage, certificate } = held;
  const now = needs.clock.now();
  const issuers = configuredIssuers(lineage, needs.settings());
  const limit = typeof error.facts.budget === 'string' ? error.facts.budget : error.message;
  const validUntil = stillValid(certificate, now);
  const isLong = weightOf(error, now, validUntil) >= patience;
  const urgent =
    certificate === undefined ? [] : [urgentFrom(certificate, needs.settings().renewalCeilingMs)];
  const random = needs.random();
  await remember(held, needs, ({ state }) => {
    const full = { ...state.waiting?.full, [issuer]: roomOf(error, now) };
    const open = withRoom(unpaused(issuers, state.paused, now), full, now);
    const goesOn = isLong && open.some((one) => (state.issuerFailures[one] ?? 0) === 0);
    const count = (state.waiting?.count ?? 0) + 1;
    const retryAt = goesOn ? now : spreadRoom([...Object.values(full), ...urgent], { count, random }, now);
    const next: RenewalState = {
      ...state,
      // Nobody is served meanwhile: after a day people are told.
      failingSince: state.failingSince ?? (validUntil === undefined ? now : undefined),
      lastFailure: failureOf(error, issuer, now),
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

/** The first of them that gets room, or when there need be none; those that wait for the same bucket must not all come back for its next token. */
function spreadRoom(
  instants: readonly Instant[],
  { count, random }: { readonly count: number; readonly random: number },
  now: Instant,
): Instant {
  const spreadMs = Math.min(3_600_000, 60_000 * 2 ** Math.min(count, 10));
  const ahead = instants.filter((at) => at > now);
  return Math.min(...(ahead.length === 0 ? [now] : ahead)) + Math.floor(random * spreadMs);
}
