import { isAgentError, toAgentError } from '../errors.ts';
import { isProvenByHand } from '../order/by-hand.ts';
import { issue } from '../order/issue.ts';
import { preflightMode } from '../order/preflight.ts';
import { lookPauseMs } from '../order/processing.ts';
import type { IssueNeeds } from '../order/run.ts';
import type { Instant, Issuance, RenewalState } from '../types.ts';
import type { Again } from '../wait.ts';
import type { Reason } from './decide.ts';
import type { Held } from './held.ts';
import type { Chosen } from './issuer-choice.ts';
import { namesToOrder } from './left-out.ts';
import { type Blow, teachBudget } from './lessons.ts';
import { storeIssued } from './outcome.ts';
import { remember } from './remember.ts';
import { isAsked } from './request.ts';
import { rememberFailure, type SetbackNeeds } from './setback.ts';
import { urgentAt } from './urgency.ts';

export type AttemptNeeds = IssueNeeds & SetbackNeeds;

export interface Attempt extends Chosen {
  readonly reason: Reason;
  /** Between two attempts its order is asked after; only what ends the order counts. */
  readonly isLook: boolean;
}

/** Orders at one issuer, or goes on with the order there, and writes down what came of it. */
export async function attempt(
  held: Held,
  { reason, issuer, probe, isLook }: Attempt,
  needs: AttemptNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const { lineage, domain, certificate, state, fence, open } = held;
  const names = namesToOrder(lineage.wanted.names, state, needs.clock.now());
  const urgent = isUrgent(held, needs);
  const preflight = preflightMode(held, needs);
  const isByHand = isProvenByHand(domain, lineage.wanted.challenge, needs.settings());
  try {
    const outcome = await issue(
      {
        ...{ lineage, domain, names, issuer, predecessor: certificate, state, fence, open },
        ...{ urgent, preflight, isByHand },
      },
      needs,
      signal,
    );
    if ('again' in outcome) return (await isAskedAnew(held, needs)) ? 'look again' : outcome;
    await storeIssued(held, { issued: outcome, reason }, needs);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.fenced') || isAgentError(error, 'store.unavailable'))
      throw error;
    const blow = { error: toAgentError(error), issuer, probe, ordered: open?.names ?? names };
    const kept = isLook ? await needs.issuances.get(lineage.id) : undefined;
    if (kept?.lookAt === undefined) await rememberFailure(held, blow, needs);
    else await lookLater(held, { blow, kept, lookAt: kept.lookAt }, needs);
  }
  const after = await needs.renewals.get(lineage.id);
  const now = needs.clock.now();
  // What the new certificate was waited for: a deployment that is through already found this job running.
  const isNews = after.revoking !== undefined;
  return isAsked(after, now) || dueNow(after, now) || isNews ? 'look again' : undefined;
}

/** The order is as it was, or could not be asked after. */
async function lookLater(
  held: Held,
  { blow, kept, lookAt }: { readonly blow: Blow; readonly kept: Issuance; readonly lookAt: Instant },
  needs: AttemptNeeds,
): Promise<void> {
  const { fence } = held;
  const { error } = blow;
  await teachBudget(blow, kept, needs);
  const now = needs.clock.now();
  const own = now + lookPauseMs(now - (kept.finalizedAt ?? kept.startedAt));
  const open = lookAt > now ? kept : { ...kept, lookAt: Math.max(own, error.retryAt ?? own) };
  if (open !== kept) await needs.changes.commit({ fence, putIssuance: open });
  await remember({ ...held, open }, needs, ({ state }) => ({ state }));
  needs.log.debug({ lineage: held.lineage.id, err: error }, 'the order under way is looked at again later');
}

/** A wish that came while we worked found the job running, and would sleep as long as the order does. */
async function isAskedAnew({ lineage, state }: Held, { renewals }: AttemptNeeds): Promise<boolean> {
  const { requested } = await renewals.get(lineage.id);
  return requested !== undefined && requested.at !== state.requested?.at;
}

/** True right after a failure that another order can mend at once: at the next issuer, or without the names refused. */
function dueNow({ retryAt }: RenewalState, now: Instant): boolean {
  return retryAt !== undefined && retryAt <= now;
}

function isUrgent(held: Held, { settings, clock }: AttemptNeeds): boolean {
  return clock.now() >= (urgentAt(held, settings().renewalCeilingMs) ?? Number.POSITIVE_INFINITY);
}
