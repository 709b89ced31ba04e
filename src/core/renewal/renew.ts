import { believableRetry } from '../backoff.ts';
import { isAgentError, toAgentError } from '../errors.ts';
import { heldBy } from '../held-lineages.ts';
import { lineageLock } from '../locks.ts';
import { abandon } from '../order/issuance.ts';
import { type IssueNeeds, issue } from '../order/issue.ts';
import { preflightMode } from '../order/preflight.ts';
import type { Change, Fence, Ports } from '../ports.ts';
import { editRenewal } from '../records.ts';
import { revokeDue } from '../revocation/revocation.ts';
import { isHeld } from '../revocation/revoking.ts';
import type { Certificate, Instant, Issuance, Lineage, NewEvent, RenewalState } from '../types.ts';
import type { Again } from '../wait.ts';
import { consult } from './consult.ts';
import { decide, isAbandoned, type Reason } from './decide.ts';
import { configuredIssuers } from './failover.ts';
import { forget } from './forget.ts';
import { answered, type Held, type OutcomeNeeds, pointOf, settle, toCase } from './held.ts';
import { issuerFor, waitForBreaker } from './issuer-choice.ts';
import { namesToOrder, stillLeftOut } from './left-out.ts';
import { dueOfLineage } from './next-action.ts';
import { recoveredEvents, storeIssued } from './outcome.ts';
import { pausedUntil } from './pause.ts';
import { urgentFrom } from './renewal.ts';
import { reuse } from './reuse.ts';
import { afterFailure, rememberFailure } from './setback.ts';

export type RenewNeeds = IssueNeeds &
  OutcomeNeeds &
  Pick<Ports, 'wishes' | 'deployments' | 'buckets' | 'locks' | 'issuances'>;

/** So long nobody goes on with the order of a killed worker. */
const lockMs = 15_000;
const busyMs = 5000;

/**
 * Brings one lineage to where its wish is: decides, orders, stores, and writes down when to come back. Resolves with an
 * instant only while an order is under way or every issuer is down; a failure is state, not a rejection. May run twice at once: the lock lets one work.
 */
export async function renew(
  lineageId: string,
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | undefined> {
  const lock = await needs.locks.tryAcquire(lineageLock(lineageId), lockMs);
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
  const loaded = await load(lineageId, fence, needs);
  if (loaded === undefined) return forget(lineageId, fence, needs, signal);
  if (loaded.open?.stored !== undefined) return conclude(loaded, loaded.open, needs);
  if (hasCompromisedKey(loaded, needs)) return drop(loaded, needs);
  const held = await consult(await afterRevocations(loaded, needs, signal), needs, signal);
  const reason = decide(toCase(held, needs));
  if (reason === undefined && held.open !== undefined) await abandon(held.open, fence, needs);
  if (reason === undefined || onLadder(held.state, needs.clock.now())) return rest(held, undefined, needs);
  const isPlain = held.open === undefined && held.state.requested?.force !== true;
  if (isPlain && (await reuse(held, reason, needs))) return 'look again';
  const configured = configuredIssuers(held.lineage, needs.settings());
  const until = pausedUntil(configured, held.state.paused, needs.clock.now());
  if (until !== undefined) return rest(held, until, needs);
  const issuer = await issuerFor(held, needs);
  if (issuer === undefined) return waitForBreaker(held, needs);
  return attempt(held, { reason, issuer }, needs, signal);
}

/** Waiting for its next attempt, and nobody asked to skip that. A forced wish that failed waits like all others. */
function onLadder(state: RenewalState, now: Instant): boolean {
  return !isAsked(state, now) && (believableRetry(state, now) ?? now) > now;
}

/** A run stored its certificate and died before the commit point: what it left is done here. */
async function conclude(held: Held, open: Issuance, needs: RenewNeeds): Promise<'look again'> {
  const { serial = '', task } = open.stored ?? {};
  if (task !== undefined)
    await needs.tasks.settle(task, { id: held.lineage.id, state: 'done', note: serial });
  await abandon(open, held.fence, needs);
  return 'look again';
}

/** An order whose key somebody else has is not gone on with. */
function hasCompromisedKey({ open, state }: Held, { pki }: RenewNeeds): boolean {
  return open !== undefined && state.compromised?.includes(pki.keyId(open.privateKey)) === true;
}

async function drop({ open, fence }: Held, needs: RenewNeeds): Promise<'look again'> {
  if (open !== undefined) await abandon(open, fence, needs);
  return 'look again';
}

/** What is to be revoked, and can be, is. */
async function afterRevocations(held: Held, needs: RenewNeeds, signal: AbortSignal): Promise<Held> {
  return held.state.revoking === undefined ? held : { ...held, state: await revokeDue(held, needs, signal) };
}

async function load(lineageId: string, fence: Fence, needs: RenewNeeds): Promise<Held | undefined> {
  const [held, open] = await Promise.all([heldBy(lineageId, needs), needs.issuances.get(lineageId)]);
  if (held?.lineage.source !== 'acme') return undefined;
  const domain = await needs.wishes.domain(held.lineage.domain);
  return domain === undefined || domain.disabledAt !== undefined
    ? undefined
    : { ...held, domain, open, fence };
}

/**
 * Nothing to order: a request that asked for no more than what is due is answered, the next instant written. `until`:
 * every issuer has paused it, and nothing but a person's word ends that sooner.
 */
async function rest(held: Held, until: Instant | undefined, needs: RenewNeeds): Promise<undefined> {
  const { lineage, certificate, fence } = held;
  const now = needs.clock.now();
  const abandoned = isAbandoned({ lineage, certificate, now });
  // A forced wish that failed stands until its turn comes.
  const stands = !abandoned && held.state.requested !== undefined && held.state.requested.at > now;
  await editRenewal(lineage.id, needs, (state): Change => {
    const renewAt =
      certificate === undefined || abandoned ? undefined : pointOf(certificate, needs, state.window);
    const rests = until === undefined ? answered(state, held.state) : afterFailure(state, held.state, until);
    const requested = stands ? state.requested : rests;
    const leftOut = stillLeftOut(state.leftOut, lineage.wanted.names, certificate?.names ?? []);
    const retryAt = until ?? state.retryAt;
    const seen = { ...state, renewAt, requested, leftOut, retryAt };
    const isWell = leftOut === undefined && decide({ ...toCase(held, needs), state: seen }) === undefined;
    const next = isWell ? well(seen) : seen;
    const due = dueOfLineage({ ...toCase(held, needs), state: next });
    const events = abandoned && state.renewAt !== undefined ? [unwantedEvent(lineage)] : [];
    const mended = isWell && !abandoned && certificate !== undefined;
    const told = mended ? recoveredEvents(state, certificate, lineage.domain) : [];
    return { fence, putRenewals: [next], due, events: [...events, ...told] };
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

async function attempt(
  held: Held,
  { reason, issuer }: { reason: Reason; issuer: string },
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const { lineage, domain, certificate, fence, open } = held;
  const names = namesToOrder(lineage.wanted.names, held.state, needs.clock.now());
  const { state } = held;
  const urgent = certificate !== undefined && isUrgent(certificate, held.state, needs);
  const preflight = preflightMode(held, needs);
  try {
    const outcome = await issue(
      { lineage, domain, names, issuer, predecessor: certificate, state, fence, open, urgent, preflight },
      needs,
      signal,
    );
    if ('again' in outcome) return (await isAskedAnew(held, needs)) ? 'look again' : outcome;
    await storeIssued(held, { issued: outcome, reason }, needs);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.fenced') || isAgentError(error, 'store.unavailable'))
      throw error;
    await rememberFailure(held, { error: toAgentError(error), issuer, ordered: open?.names ?? names }, needs);
  }
  const after = await needs.renewals.get(lineage.id);
  const now = needs.clock.now();
  // What the new certificate was waited for: a deployment that is through already found this job running.
  const isNews = after.revoking !== undefined;
  return isAsked(after, now) || dueNow(after, now) || isNews ? 'look again' : undefined;
}

/** A wish that came while we worked found the job running, and would sleep as long as the order does. */
async function isAskedAnew({ lineage, state }: Held, { renewals }: RenewNeeds): Promise<boolean> {
  const { requested } = await renewals.get(lineage.id);
  return requested !== undefined && requested.at !== state.requested?.at;
}

function isAsked({ requested }: RenewalState, now: Instant): boolean {
  return requested !== undefined && requested.at <= now;
}

/** True right after a failure that another order can mend at once: at the next issuer, or without the names refused. */
function dueNow({ retryAt }: RenewalState, now: Instant): boolean {
  return retryAt !== undefined && retryAt <= now;
}

function isUrgent(certificate: Certificate, state: RenewalState, needs: RenewNeeds): boolean {
  const isDoomed = state.revokedAt !== undefined || state.revoking?.some((one) => isHeld(one, certificate));
  return isDoomed === true || needs.clock.now() >= urgentFrom(certificate, needs.settings().renewalCeilingMs);
}
