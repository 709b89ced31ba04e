import type { Instant, Lineage, NewEvent, RenewalState } from '../types.ts';
import { decide, isAbandoned } from './decide.ts';
import { type Held, type OutcomeNeeds, pointOf, settle } from './held.ts';
import { stillLeftOut } from './left-out.ts';
import { recoveredEvents } from './outcome.ts';
import { remember } from './remember.ts';
import { answered, wishAfterFailure } from './request.ts';

/**
 * Nothing to order: a request that asked for no more than what is due is answered, the next instant written. `until`:
 * every issuer has paused it, and nothing but a person's word ends that sooner.
 */
export async function rest(held: Held, until: Instant | undefined, needs: OutcomeNeeds): Promise<undefined> {
  const { lineage, certificate } = held;
  const now = needs.clock.now();
  const abandoned = isAbandoned({ lineage, certificate, now });
  // A forced wish that failed stands until its turn comes.
  const stands = !abandoned && held.state.requested !== undefined && held.state.requested.at > now;
  await remember(held, needs, ({ state }) => {
    const renewAt =
      certificate === undefined || abandoned ? undefined : pointOf(certificate, needs, state.window);
    const rests =
      until === undefined ? answered(state, held.state) : wishAfterFailure(state, held.state, until);
    const requested = stands ? state.requested : rests;
    const leftOut = stillLeftOut(state.leftOut, lineage.wanted.names, certificate?.names ?? []);
    const retryAt = until ?? state.retryAt;
    const seen = { ...state, renewAt, requested, leftOut, retryAt };
    const isWell = leftOut === undefined && decide({ lineage, certificate, state: seen, now }) === undefined;
    const events = abandoned && state.renewAt !== undefined ? [unwantedEvent(lineage)] : [];
    const mended = isWell && !abandoned && certificate !== undefined;
    const told = mended ? recoveredEvents(state, certificate, lineage.domain) : [];
    return { state: isWell ? well(seen) : seen, events: [...events, ...told] };
  });
  const answer =
    until === undefined
      ? { state: 'skipped' as const, note: abandoned ? 'no longer wanted' : 'not due' }
      : { state: 'failed' as const, note: pauseNote(held) };
  if (!stands) await settle(held, answer, needs);
}

function pauseNote({ lineage, state }: Held): string {
  const [pause] = Object.values(state.paused ?? {});
  return `${pause?.message ?? 'paused'} (then: acme-agent retry ${lineage.id})`;
}

/** What failed is not asked for any more. */
function well(state: RenewalState): RenewalState {
  const calm = {
    failures: 0,
    issuerFailures: {},
    blocked: undefined,
    waiting: undefined,
    reminders: { count: 0 },
  };
  return { ...state, ...calm, failingSince: undefined, retryAt: undefined };
}

function unwantedEvent({ id, domain, wanted }: Lineage): NewEvent {
  return { type: 'certificate.unwanted', domain, lineage: id, facts: { names: wanted.names } };
}
