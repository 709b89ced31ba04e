import { longestWaitMs, nextAttempt } from '../backoff.ts';
import { servedUntil } from '../deploy/fallback.ts';
import type { AgentError } from '../errors.ts';
import { isStopped } from '../order/preflight.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editRenewal } from '../records.ts';
import type { Instant, LineageId, NewEvent, RenewalState } from '../types.ts';
import { blockEndsAt, blockedBy, isBlock, unblocked } from './blocked.ts';
import { configuredIssuers, hasFreshIssuer, isOutage, patience, weightOf } from './failover.ts';
import { failureOf } from './failure.ts';
import { answered, type Held, type OutcomeNeeds, settle, toCase } from './held.ts';
import { blamed, leaveOut, putOff } from './left-out.ts';
import { dueOfLineage } from './next-action.ts';
import { pausedBy, pausedUntil, unpaused, withRoom } from './pause.ts';
import { urgentFrom } from './renewal.ts';

/** An attempt that failed. */
export interface Blow {
  readonly error: AgentError;
  readonly issuer: string;
  /** Names of the order. */
  readonly ordered: readonly string[];
}

type SetbackNeeds = OutcomeNeeds & Pick<Ports, 'issuances'>;

/** A failed attempt is state: what went wrong, when to try again, whom to tell. */
export async function rememberFailure(held: Held, blow: Blow, needs: SetbackNeeds): Promise<void> {
  const { lineage, domain, certificate, fence } = held;
  const { error, issuer } = blow;
  const now = needs.clock.now();
  const outages = isOutage(error) ? await needs.issuerHealth.fault(issuer) : 0;
  // It answered; what failed before the CA was asked says nothing about it.
  if (outages === 0 && error.facts.problem !== undefined) await needs.changes.commit({ wellIssuer: issuer });
  await teachBudget(lineage.id, blow, needs);
  if (isWait(error)) return waitForRoom(held, blow, needs);
  needs.log.warn({ lineage: lineage.id, issuer, code: error.code, err: error }, 'certificate not issued');
  const showsFallback = certificate === undefined || servedUntil(certificate, held.state.revokedAt) <= now;
  const fallbacks = showsFallback ? domain.deploy.map((target) => deploymentId(target, lineage.id)) : [];
  const issuers = configuredIssuers(lineage, needs.settings());
  const context = { ...blow, held, issuers, outages, now, random: needs.random() };
  await editRenewal(lineage.id, needs, (state): Change => {
    const next = failed(state, context);
    const told = next.reminders.toldAt !== state.reminders.toldAt;
    const due = dueOfLineage({ ...toCase(held, needs), state: next });
    const deploy = fallbacks.map((id) => ({ job: 'deploy' as const, id, at: now }));
    return { fence, putRenewals: [next], due: [...due, ...deploy], events: [failedEvent(held, next, told)] };
  });
  await needs.jobs.wake('deploy', fallbacks);
  const { requested } = await needs.renewals.get(lineage.id);
  const goesOn = requested !== undefined && requested.at === held.state.requested?.at;
  if (!goesOn) await settle(held, { state: 'failed', note: error.message }, needs);
}

/** Verdicts on names, and limits that we ran into, count in the ledger of the CA's limits. */
async function teachBudget(
  lineage: LineageId,
  { error, issuer, ordered }: Blow,
  { budget, issuances }: SetbackNeeds,
): Promise<void> {
  const names = Object.keys(blamed(error)).filter((name) => ordered.includes(name));
  const isVerdict = error.code.startsWith('challenge.') && !isStopped(error);
  if (isVerdict && names.length > 0) await budget.validationFailed(issuer, names);
  if (error.facts.status !== 429 && error.facts.status !== 503) return;
  const isUnderWay = (await issuances.get(lineage))?.orderUrl !== undefined;
  await budget.learn({ issuer, names: ordered, isUnderWay }, error);
}

/** Our own ledger of the CA's limits has no room, or foresaw that the CA would say so. */
function isWait(error: AgentError): boolean {
  return error.facts.budget !== undefined;
}

/** Not a failure: no ladder, no notice, and a request stays open. */
async function waitForRoom(held: Held, { error, issuer }: Blow, needs: OutcomeNeeds): Promise<void> {
  const { lineage, certificate, fence } = held;
  const now = needs.clock.now();
  const issuers = configuredIssuers(lineage, needs.settings());
  const limit = typeof error.facts.budget === 'string' ? error.facts.budget : error.message;
  const validUntil = stillValid(certificate, now);
  const isLong = weightOf(error, now, validUntil) >= patience;
  const urgent =
    certificate === undefined ? [] : [urgentFrom(certificate, needs.settings().renewalCeilingMs)];
  const random = needs.random();
  await editRenewal(lineage.id, needs, (state): Change => {
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
    return { fence, putRenewals: [next], due: dueOfLineage({ ...toCase(held, needs), state: next }) };
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

interface Context extends Blow {
  readonly held: Held;
  /** Those of the lineage that the configuration file defines. */
  readonly issuers: readonly string[];
  /** Faults of this issuer in a row, for whomever. */
  readonly outages: number;
  readonly now: Instant;
  readonly random: number;
}

function failed(before: RenewalState, context: Context): RenewalState {
  const { held, error, issuer, issuers, ordered, now, random } = context;
  const validUntil = stillValid(held.certificate, now);
  const state = {
    ...before,
    waiting: undefined,
    failingSince: before.failingSince ?? now,
    issuerFailures: blame(before, context),
    lastFailure: failureOf(error, issuer, now),
  };
  const failures = state.failures + 1;
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
  const retryAt =
    (open.length === 0 ? firstEnd(issuers, { paused, blocked }, now) : undefined) ??
    nextAttempt({ failures, retry, retryAt: asked, validUntil, random }, now);
  const requested = afterFailure(state, held.state, retryAt);
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

function stillValid(certificate: Held['certificate'], now: Instant): Instant | undefined {
  return certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
}

function blame(
  { issuerFailures }: RenewalState,
  { held, error, issuer, outages, now }: Context,
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
  { held, error, ordered, now, random }: Context,
): RenewalState['leftOut'] {
  if (held.domain.partial !== true || lastFailure === undefined) return undefined;
  if (roundsOf(leftOut, now) >= mostRounds) return undefined;
  const validUntil = stillValid(held.certificate, now);
  return leaveOut(leftOut, { error, failure: lastFailure, ordered, validUntil, random }, now);
}

/** People hear of it once: at the third failure, and at once of what only they can mend or what leaves names unserved. */
function told(state: RenewalState, { held, error, now }: Context): RenewalState {
  const isTrusted = stillValid(held.certificate, now) !== undefined && state.revokedAt === undefined;
  const isUnserved = !isTrusted || state.leftOut !== undefined;
  const tellNow = error.retry === 'blocked' || state.failures >= 3 || isUnserved;
  return tellNow && state.reminders.toldAt === undefined
    ? { ...state, reminders: { ...state.reminders, toldAt: now } }
    : state;
}

/** The next issuer may still answer a request; one that was forced stays a wish, on the ladder and without its task. */
export function afterFailure(
  state: RenewalState,
  seen: RenewalState,
  retryAt: Instant,
): RenewalState['requested'] {
  const newer = answered(state, seen);
  const { requested } = seen;
  return (
    newer ?? (requested?.force === true ? putOff({ ...requested, task: undefined }, retryAt) : undefined)
  );
}

function failedEvent({ lineage, certificate }: Held, state: RenewalState, tell: boolean): NewEvent {
  const { failures, retryAt, lastFailure } = state;
  return {
    type: 'certificate.failed',
    domain: lineage.domain,
    lineage: lineage.id,
    facts: {
      ...lastFailure,
      failures,
      retryAt,
      tell,
      names: lineage.wanted.names,
      notAfter: certificate?.notAfter,
    },
  };
}
