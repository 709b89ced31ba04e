import { believable, nextAttempt } from './backoff.ts';
import { type Case, decide, isAbandoned, type Reason } from './decide.ts';
import { type AgentError, isAgentError, toAgentError } from './errors.ts';
import { chooseIssuer, hasFreshIssuer, isOutage, patience, weightOf } from './failover.ts';
import { type Issued, type IssueNeeds, issue } from './issue.ts';
import { dueOfLineage } from './next-action.ts';
import type { Change, Fence, Ports } from './ports.ts';
import { deploymentId, editRenewal } from './records.ts';
import { renewalLead, renewalPoint } from './renewal.ts';
import type {
  Certificate,
  Domain,
  Failure,
  Instant,
  Lineage,
  NewEvent,
  RenewalState,
  Settings,
} from './types.ts';
import type { Again } from './wait.ts';

export type RenewNeeds = IssueNeeds &
  Pick<Ports, 'certificates' | 'wishes' | 'renewals' | 'issuerHealth' | 'locks' | 'tasks' | 'jobs'> & {
    readonly settings: () => Settings;
    readonly random: () => number;
  };

const lockMs = 60_000;
const busyMs = 5000;
/** A lineage that waits for an issuer's breaker looks again after this. */
const breakerMs = 60_000;

/**
 * Brings one lineage to where its wish is: decides, orders, stores, and writes down when to come back. Resolves with an
 * instant only while an order is under way; a failure is state, not a rejection. May run twice at once: the lock lets one work.
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

interface Held {
  readonly lineage: Lineage;
  readonly domain: Domain;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
  readonly fence: Fence;
}

/** One look at the state, and at most one order. A wish that came meanwhile asks for another look. */
async function renewOnce(
  { lineageId, fence }: { lineageId: string; fence: Fence },
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const held = await load(lineageId, fence, needs);
  if (held === undefined) {
    await needs.changes.commit({
      due: [
        { job: 'issue', id: lineageId, at: undefined },
        { job: 'remind', id: lineageId, at: undefined },
      ],
    });
    return undefined;
  }
  const reason = decide(toCase(held, needs));
  if (reason === undefined || onLadder(held.state, needs.clock.now())) return rest(held, needs);
  const issuer = await issuerFor(held, needs);
  if (issuer === undefined) return park(held, needs);
  return attempt(held, { reason, issuer }, needs, signal);
}

/** Waiting for its next attempt, and nobody asked to skip that. */
function onLadder(state: RenewalState, now: Instant): boolean {
  return state.requested === undefined && (believable(state.retryAt, now) ?? now) > now;
}

async function load(lineageId: string, fence: Fence, needs: RenewNeeds): Promise<Held | undefined> {
  const [lineage, state, certificate] = await Promise.all([
    needs.certificates.lineage(lineageId),
    needs.renewals.get(lineageId),
    needs.certificates.certificate(lineageId),
  ]);
  const domain = lineage === undefined ? undefined : await needs.wishes.domain(lineage.domain);
  if (lineage === undefined || domain === undefined || lineage.source !== 'acme') return undefined;
  return { lineage, domain, state, certificate, fence };
}

/** Nothing to order: a request that asked for no more than what is due is answered, the next instant written. */
async function rest(held: Held, needs: RenewNeeds): Promise<undefined> {
  const { lineage, certificate, fence } = held;
  const abandoned = isAbandoned(lineage, needs.clock.now());
  await editRenewal(lineage.id, needs, (state): Change => {
    const renewAt = certificate === undefined || abandoned ? undefined : pointOf(certificate, needs);
    const next = { ...state, renewAt, requested: answered(state, held.state) };
    const due = dueOfLineage({ ...toCase(held, needs), state: next });
    const events = abandoned && state.renewAt !== undefined ? [unwantedEvent(lineage)] : [];
    return { fence, putRenewals: [next], due, events };
  });
  await settle(held, { state: 'skipped', note: 'not due' }, needs);
}

function unwantedEvent({ id, domain, wanted }: Lineage): NewEvent {
  return { type: 'certificate.unwanted', domain, lineage: id, facts: { names: wanted.names } };
}

async function issuerFor({ lineage, state }: Held, needs: RenewNeeds): Promise<string | undefined> {
  const configured = needs.settings().issuers;
  const issuers = lineage.wanted.issuers.filter((issuer) => configured.includes(issuer));
  const faults = await needs.issuerHealth.faults(issuers);
  const open = new Set(issuers.filter((_, index) => (faults[index] ?? 0) >= patience));
  const choice = chooseIssuer(issuers, state.issuerFailures, open);
  if (choice === undefined || !open.has(choice)) return choice ?? lineage.wanted.issuers[0];
  // An open breaker lets one lineage a minute through as its probe.
  const probe = await needs.locks.tryAcquire(`probe:${choice}`, breakerMs);
  return probe === undefined ? undefined : choice;
}

/** The breaker of the only issuer is open and another lineage is probing it: not a failure of this one. */
async function park(held: Held, needs: RenewNeeds): Promise<undefined> {
  await editRenewal(held.lineage.id, needs, (state) => ({
    fence: held.fence,
    due: [{ job: 'issue', id: state.lineage, at: needs.clock.now() + breakerMs }],
  }));
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
    if ('again' in outcome) return outcome;
    await store(held, { issued: outcome, reason }, needs);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.fenced') || isAgentError(error, 'store.unavailable'))
      throw error;
    await remember(held, { error: toAgentError(error), issuer }, needs);
  }
  const after = await needs.renewals.get(lineage.id);
  return after.requested === undefined && !dueNow(after, needs.clock.now()) ? undefined : 'look again';
}

/** True right after a failure whose next issuer stands ready, or for a wish that came while we worked. */
function dueNow(state: RenewalState, now: Instant): boolean {
  return state.failures > 0 && (state.retryAt ?? now) <= now;
}

async function store(
  held: Held,
  { issued, reason }: { issued: Issued; reason: Reason },
  needs: RenewNeeds,
): Promise<void> {
  const { lineage, domain, fence } = held;
  const { certificate } = issued.bundle;
  if (held.certificate?.fingerprint !== certificate.fingerprint)
    await editRenewal(lineage.id, needs, (state) => {
      const next = succeeded(state, held.state, pointOf(certificate, needs));
      const due = dueOfLineage({ ...toCase(held, needs), certificate, state: next });
      const deploy = domain.deploy.map((target) => ({
        job: 'deploy' as const,
        id: deploymentId(target, lineage.id),
        at: needs.clock.now(),
      }));
      const events = successEvents(held, certificate, reason);
      return {
        fence,
        generation: issued.bundle,
        putRenewals: [next],
        due: [...due, ...deploy],
        events,
        durable: true,
      };
    });
  const stored = await needs.certificates.certificate(lineage.id);
  if (stored?.fingerprint !== certificate.fingerprint)
    throw new Error('the stored certificate is not the one just issued');
  await needs.issuerHealth.recovered(certificate.issuer ?? '');
  const ms = needs.clock.now() - issued.startedAt;
  needs.log.info(
    { lineage: lineage.id, reason, issuer: certificate.issuer, serial: certificate.serial, ms },
    'certificate issued',
  );
  await needs.jobs.wake(
    'deploy',
    domain.deploy.map((target) => deploymentId(target, lineage.id)),
  );
  await settle(held, { state: 'done', note: certificate.serial }, needs);
  await issued.finish();
}

function succeeded(state: RenewalState, seen: RenewalState, renewAt: Instant): RenewalState {
  return {
    lineage: state.lineage,
    version: state.version,
    renewAt,
    failures: 0,
    issuerFailures: {},
    requested: answered(state, seen),
    reminders: { count: 0 },
  };
}

/** A wish newer than the one we worked on stands. */
function answered(now: RenewalState, seen: RenewalState): RenewalState['requested'] {
  return now.requested?.at === seen.requested?.at ? undefined : now.requested;
}

function successEvents(
  { lineage, state }: Held,
  certificate: Certificate,
  reason: Reason,
): readonly NewEvent[] {
  const about = { domain: lineage.domain, lineage: lineage.id };
  const { serial, issuer, notAfter, names } = certificate;
  const issued: NewEvent = {
    type: 'certificate.issued',
    ...about,
    facts: { reason, serial, issuer, notAfter, names },
  };
  if (state.reminders.toldAt === undefined) return [issued];
  return [
    issued,
    {
      type: 'certificate.recovered',
      ...about,
      facts: { serial, issuer, notAfter, names, failures: state.failures },
    },
  ];
}

async function remember(
  held: Held,
  { error, issuer }: { error: AgentError; issuer: string },
  needs: RenewNeeds,
): Promise<void> {
  const { lineage, domain, certificate, fence } = held;
  const now = needs.clock.now();
  if (isOutage(error)) await needs.issuerHealth.fault(issuer);
  else await needs.issuerHealth.recovered(issuer);
  needs.log.warn({ lineage: lineage.id, issuer, code: error.code, err: error }, 'certificate not issued');
  const showsFallback = certificate === undefined || certificate.notAfter <= now;
  const fallbacks = showsFallback ? domain.deploy.map((target) => deploymentId(target, lineage.id)) : [];
  await editRenewal(lineage.id, needs, (state): Change => {
    const next = failed(state, { held, error, issuer, now, random: needs.random() });
    const told = next.reminders.toldAt !== state.reminders.toldAt;
    const due = dueOfLineage({ ...toCase(held, needs), state: next });
    const deploy = fallbacks.map((id) => ({ job: 'deploy' as const, id, at: now }));
    return { fence, putRenewals: [next], due: [...due, ...deploy], events: [failedEvent(held, next, told)] };
  });
  await needs.jobs.wake('deploy', fallbacks);
  await settle(held, { state: 'failed', note: error.message }, needs);
}

function failed(
  state: RenewalState,
  {
    held,
    error,
    issuer,
    now,
    random,
  }: { held: Held; error: AgentError; issuer: string; now: Instant; random: number },
): RenewalState {
  const { lineage, certificate } = held;
  const validUntil =
    certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
  const failures = state.failures + 1;
  const issuerFailures = {
    ...state.issuerFailures,
    [issuer]: (state.issuerFailures[issuer] ?? 0) + weightOf(error, now, validUntil),
  };
  const ladder = nextAttempt(
    { failures, retry: error.retry, retryAt: error.retryAt, validUntil, random },
    now,
  );
  const tellNow = error.retry === 'blocked' || failures >= 3 || validUntil === undefined;
  return {
    ...state,
    failures,
    failingSince: state.failingSince ?? now,
    issuerFailures,
    lastFailure: failureOf(error, issuer, now),
    retryAt: hasFreshIssuer(lineage.wanted.issuers, issuerFailures, issuer) ? now : ladder,
    requested: answered(state, held.state),
    reminders:
      tellNow && state.reminders.toldAt === undefined ? { ...state.reminders, toldAt: now } : state.reminders,
  };
}

export function failureOf(error: AgentError, issuer: string | undefined, at: Instant): Failure {
  const names = error.facts.names as Readonly<Record<string, string>> | undefined;
  return { at, code: error.code, message: error.message, issuer, names };
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

async function settle(
  held: Held,
  result: { state: 'done' | 'failed' | 'skipped'; note: string },
  needs: RenewNeeds,
): Promise<void> {
  const task = held.state.requested?.task;
  if (task !== undefined) await needs.tasks.settle(task, { id: held.lineage.id, ...result });
}

/** Past half of its renewal period a renewal does not wait for our own books any more. */
function isUrgent(certificate: Certificate, state: RenewalState, needs: RenewNeeds): boolean {
  const lead = renewalLead(certificate, needs.settings().renewalCeilingMs);
  return state.revokedAt !== undefined || needs.clock.now() > certificate.notAfter - lead / 2;
}

function pointOf(certificate: Certificate, needs: RenewNeeds): Instant {
  return renewalPoint(certificate, {
    lineage: certificate.lineage,
    ceilingMs: needs.settings().renewalCeilingMs,
  });
}

function toCase({ lineage, certificate, state }: Held, { clock }: RenewNeeds): Case {
  return { lineage, certificate, state, now: clock.now() };
}
