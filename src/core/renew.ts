import { believable } from './backoff.ts';
import { decide, isAbandoned, type Reason } from './decide.ts';
import { isAgentError, toAgentError } from './errors.ts';
import { configuredIssuers, issuersInTurn, patience } from './failover.ts';
import { abandon, type IssueNeeds, issue } from './issue.ts';
import { dueOfLineage } from './next-action.ts';
import {
  answered,
  type Held,
  type OutcomeNeeds,
  pointOf,
  recoveredEvents,
  rememberFailure,
  settle,
  storeIssued,
  toCase,
} from './outcome.ts';
import type { Change, Fence, Ports } from './ports.ts';
import { editRenewal } from './records.ts';
import { renewalLead } from './renewal.ts';
import type { Certificate, Instant, Issuance, Lineage, NewEvent, RenewalState } from './types.ts';
import type { Again } from './wait.ts';

export type RenewNeeds = IssueNeeds & OutcomeNeeds & Pick<Ports, 'wishes' | 'buckets' | 'locks'>;

/** So long nobody goes on with the order of a killed worker. */
const lockMs = 15_000;
const busyMs = 5000;
/** An open breaker lets one order through in this time; a lineage that has to wait for it looks again after it. */
const breakerMs = 30_000;

/**
 * Brings one lineage to where its wish is: decides, orders, stores, and writes down when to come back. Resolves with an
 * instant only while an order is under way or every issuer is down; a failure is state, not a rejection. May run twice at once: the lock lets one work.
 */
export async function renew(
  lineageId: string,
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | undefined> {
  const lock = await needs.locks.tryAcquire(`issue:${lineageId}`, lockMs);
  if (lock === undefined) return { again: needs.clock.now() + busyMs };
  try {
    const both = AbortSignal.any([signal, lock.signal]);
    for (;;) {
      const step = await renewOnce({ lineageId, fence: lock }, needs, both);
      if (step !== 'look again') return step;
    }
  } finally {
    await lock.release();
  }
}

/** One look at the state, and at most one order. A wish that came meanwhile asks for another look. */
async function renewOnce(
  { lineageId, fence }: { lineageId: string; fence: Fence },
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const held = await load(lineageId, fence, needs);
  if (held === undefined) return forget(lineageId, fence, needs);
  if (held.open?.stored !== undefined) return conclude(held, held.open, needs);
  const reason = decide(toCase(held, needs));
  if (reason === undefined && held.open !== undefined) await abandon(held.open, fence, needs);
  if (reason === undefined || onLadder(held.state, needs.clock.now())) return rest(held, needs);
  const issuer = await issuerFor(held, needs);
  // Not a failure of this lineage: the breakers are open, and others are probing.
  if (issuer === undefined) return { again: needs.clock.now() + breakerMs };
  return attempt(held, { reason, issuer }, needs, signal);
}

/** Waiting for its next attempt, and nobody asked to skip that. A forced wish that failed waits like all others. */
function onLadder(state: RenewalState, now: Instant): boolean {
  return !isAsked(state, now) && (believable(state.retryAt, now) ?? now) > now;
}

/** A run stored its certificate and died before the commit point: what it left is done here. */
async function conclude(held: Held, open: Issuance, needs: RenewNeeds): Promise<'look again'> {
  const { serial = '', task } = open.stored ?? {};
  if (task !== undefined)
    await needs.tasks.settle(task, { id: held.lineage.id, state: 'done', note: serial });
  await abandon(open, held.fence, needs);
  return 'look again';
}

/** Its domain is gone or disabled, or it is no lineage that we order for: whoever waits for it is told. */
async function forget(lineageId: string, fence: Fence, needs: RenewNeeds): Promise<undefined> {
  const open = await needs.issuances.get(lineageId);
  if (open !== undefined) await abandon(open, fence, needs);
  const { requested } = await needs.renewals.get(lineageId);
  if (requested?.task !== undefined)
    await needs.tasks.settle(requested.task, { id: lineageId, state: 'skipped', note: 'no longer wanted' });
  const gone = (['issue', 'remind'] as const).map((job) => ({ job, id: lineageId, at: undefined }));
  await needs.changes.commit({ due: gone });
}

async function load(lineageId: string, fence: Fence, needs: RenewNeeds): Promise<Held | undefined> {
  const [lineage, state, certificate, open] = await Promise.all([
    needs.certificates.lineage(lineageId),
    needs.renewals.get(lineageId),
    needs.certificates.certificate(lineageId),
    needs.issuances.get(lineageId),
  ]);
  const domain = lineage === undefined ? undefined : await needs.wishes.domain(lineage.domain);
  if (lineage === undefined || domain === undefined || domain.disabledAt !== undefined) return undefined;
  return lineage.source === 'acme' ? { lineage, domain, state, certificate, open, fence } : undefined;
}

/** Nothing to order: a request that asked for no more than what is due is answered, the next instant written. */
async function rest(held: Held, needs: RenewNeeds): Promise<undefined> {
  const { lineage, certificate, fence } = held;
  const now = needs.clock.now();
  const abandoned = isAbandoned(lineage, now);
  // A forced wish that failed stands until its turn comes.
  const stands = !abandoned && held.state.requested !== undefined && held.state.requested.at > now;
  await editRenewal(lineage.id, needs, (state): Change => {
    const renewAt = certificate === undefined || abandoned ? undefined : pointOf(certificate, needs);
    const requested = stands ? state.requested : answered(state, held.state);
    const seen = { ...state, renewAt, requested };
    const isWell = decide({ ...toCase(held, needs), state: seen }) === undefined;
    const next = isWell ? well(seen) : seen;
    const due = dueOfLineage({ ...toCase(held, needs), state: next });
    const events = abandoned && state.renewAt !== undefined ? [unwantedEvent(lineage)] : [];
    const mended = isWell && !abandoned && certificate !== undefined;
    const told = mended ? recoveredEvents(state, certificate, lineage.domain) : [];
    return { fence, putRenewals: [next], due, events: [...events, ...told] };
  });
  if (!stands) await settle(held, { state: 'skipped', note: 'not due' }, needs);
}

/** What failed is not asked for any more. */
function well(state: RenewalState): RenewalState {
  return { ...state, failures: 0, failingSince: undefined, retryAt: undefined, reminders: { count: 0 } };
}

function unwantedEvent({ id, domain, wanted }: Lineage): NewEvent {
  return { type: 'certificate.unwanted', domain, lineage: id, facts: { names: wanted.names } };
}

/**
 * That of the order under way as long as there is patience with it. undefined: the breakers of all are open, and other
 * lineages are probing them.
 */
async function issuerFor({ lineage, state, open }: Held, needs: RenewNeeds): Promise<string | undefined> {
  const issuers = issuersInTurn(configuredIssuers(lineage, needs.settings()), state.issuerFailures);
  if (issuers.length === 0) return lineage.wanted.issuers[0];
  const at = open?.orderUrl === undefined ? undefined : open.issuer;
  if (at !== undefined && issuers.includes(at) && (state.issuerFailures[at] ?? 0) < patience) return at;
  const faults = await needs.issuerHealth.faults(issuers);
  for (const [index, issuer] of issuers.entries())
    if ((faults[index] ?? 0) < patience || (await mayProbe(issuer, needs))) return issuer;
  return undefined;
}

/** Without probes a breaker would stay open for ever where the next issuer does well. */
async function mayProbe(issuer: string, { buckets, clock }: RenewNeeds): Promise<boolean> {
  const bucket = { key: `probe:${issuer}`, capacity: 1, perSecond: 1000 / breakerMs, cost: 1 };
  return (await buckets.take([bucket], clock.now())).taken;
}

async function attempt(
  held: Held,
  { reason, issuer }: { reason: Reason; issuer: string },
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const { lineage, domain, certificate, fence } = held;
  const urgent = certificate !== undefined && isUrgent(certificate, held.state, needs);
  try {
    const outcome = await issue(
      { lineage, domain, issuer, predecessor: certificate, fence, urgent },
      needs,
      signal,
    );
    if ('again' in outcome) return (await isAskedAnew(held, needs)) ? 'look again' : outcome;
    await storeIssued(held, { issued: outcome, reason }, needs);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.fenced') || isAgentError(error, 'store.unavailable'))
      throw error;
    await rememberFailure(held, { error: toAgentError(error), issuer }, needs);
  }
  const after = await needs.renewals.get(lineage.id);
  return isAsked(after, needs.clock.now()) || dueNow(after, needs.clock.now()) ? 'look again' : undefined;
}

/** A wish that came while we worked found the job running, and would sleep as long as the order does. */
async function isAskedAnew({ lineage, state }: Held, { renewals }: RenewNeeds): Promise<boolean> {
  const { requested } = await renewals.get(lineage.id);
  return requested !== undefined && requested.at !== state.requested?.at;
}

function isAsked({ requested }: RenewalState, now: Instant): boolean {
  return requested !== undefined && requested.at <= now;
}

/** True right after a failure whose next issuer stands ready, or for a wish that came while we worked. */
function dueNow(state: RenewalState, now: Instant): boolean {
  return state.failures > 0 && (state.retryAt ?? now) <= now;
}

/** Past half of its renewal period a renewal does not wait for our own books any more. */
function isUrgent(certificate: Certificate, state: RenewalState, needs: RenewNeeds): boolean {
  const lead = renewalLead(certificate, needs.settings().renewalCeilingMs);
  return state.revokedAt !== undefined || needs.clock.now() > certificate.notAfter - lead / 2;
}
