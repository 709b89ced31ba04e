import { nextAttempt } from './backoff.ts';
import type { Case, Reason } from './decide.ts';
import type { AgentError } from './errors.ts';
import { configuredIssuers, hasFreshIssuer, isOutage, patience, weightOf } from './failover.ts';
import type { Issued } from './issue.ts';
import { dueOfLineage } from './next-action.ts';
import type { Change, Fence, Ports } from './ports.ts';
import { deploymentId, editRenewal } from './records.ts';
import { renewalPoint } from './renewal.ts';
import type {
  Certificate,
  Domain,
  Failure,
  Instant,
  Issuance,
  Lineage,
  NewEvent,
  RenewalState,
  Settings,
} from './types.ts';

export type OutcomeNeeds = Pick<
  Ports,
  'certificates' | 'renewals' | 'changes' | 'issuerHealth' | 'tasks' | 'jobs' | 'clock' | 'log'
> & {
  readonly settings: () => Settings;
  readonly random: () => number;
};

/** A lineage under its lock, as it was read. */
export interface Held {
  readonly lineage: Lineage;
  readonly domain: Domain;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
  /** Order under way. */
  readonly open: Issuance | undefined;
  readonly fence: Fence;
}

/** A new certificate: generation, state, due entries and events in one write, then the commit point. */
export async function storeIssued(
  held: Held,
  { issued, reason }: { issued: Issued; reason: Reason },
  needs: OutcomeNeeds,
): Promise<void> {
  const { lineage, domain, fence } = held;
  const { certificate } = issued.bundle;
  const done = { serial: certificate.serial, task: held.state.requested?.task };
  await editRenewal(lineage.id, needs, (state) => {
    const next = succeeded(state, held.state, pointOf(certificate, needs));
    const at = needs.clock.now();
    const deploy = domain.deploy.map((target) => ({
      job: 'deploy' as const,
      id: deploymentId(target, lineage.id),
      at,
    }));
    const events = successEvents(held, certificate, reason);
    return {
      fence,
      generation: issued.bundle,
      putRenewals: [next],
      putIssuance: { ...issued.issuance, stored: done },
      // Until the commit point the lineage stays due: if this run dies, another one ends what it left.
      due: [
        { job: 'issue', id: lineage.id, at },
        { job: 'remind', id: lineage.id, at: undefined },
        ...deploy,
      ],
      events,
      durable: true,
    };
  });
  const stored = await needs.certificates.certificate(lineage.id);
  if (stored?.fingerprint !== certificate.fingerprint)
    throw new Error('the stored certificate is not the one just issued');
  await needs.issuerHealth.recovered(certificate.issuer ?? '');
  const ms = needs.clock.now() - issued.issuance.startedAt;
  needs.log.info(
    { lineage: lineage.id, reason, issuer: certificate.issuer, serial: certificate.serial, ms },
    'certificate issued',
  );
  await needs.jobs.wake(
    'deploy',
    domain.deploy.map((target) => deploymentId(target, lineage.id)),
  );
  await settle(held, { state: 'done', note: certificate.serial }, needs);
  const state = await needs.renewals.get(lineage.id);
  await issued.finish(dueOfLineage({ ...toCase(held, needs), certificate, state }));
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
export function answered(now: RenewalState, seen: RenewalState): RenewalState['requested'] {
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
  return [issued, ...recoveredEvents(state, certificate, lineage.domain)];
}

/** For people who were told that it fails. */
export function recoveredEvents(
  { lineage, failures, reminders }: RenewalState,
  { serial, issuer, notAfter, names }: Certificate,
  domain: string,
): readonly NewEvent[] {
  const facts = { serial, issuer, notAfter, names, failures };
  return reminders.toldAt === undefined ? [] : [{ type: 'certificate.recovered', domain, lineage, facts }];
}

/** A failed attempt is state: what went wrong, when to try again, whom to tell. */
export async function rememberFailure(
  held: Held,
  { error, issuer }: { error: AgentError; issuer: string },
  needs: OutcomeNeeds,
): Promise<void> {
  const { lineage, domain, certificate, fence } = held;
  const now = needs.clock.now();
  const outages = isOutage(error) ? await needs.issuerHealth.fault(issuer) : 0;
  if (outages === 0) await needs.issuerHealth.recovered(issuer);
  needs.log.warn({ lineage: lineage.id, issuer, code: error.code, err: error }, 'certificate not issued');
  const showsFallback = certificate === undefined || certificate.notAfter <= now;
  const fallbacks = showsFallback ? domain.deploy.map((target) => deploymentId(target, lineage.id)) : [];
  await editRenewal(lineage.id, needs, (state): Change => {
    const issuers = configuredIssuers(lineage, needs.settings());
    const next = failed(state, { held, error, issuer, issuers, outages, now, random: needs.random() });
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

function failed(
  state: RenewalState,
  {
    held,
    error,
    issuer,
    issuers,
    outages,
    now,
    random,
  }: {
    held: Held;
    error: AgentError;
    issuer: string;
    issuers: readonly string[];
    outages: number;
    now: Instant;
    random: number;
  },
): RenewalState {
  const { certificate } = held;
  const validUntil =
    certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
  const failures = state.failures + 1;
  // With its breaker open the issuer has failed for others too: this lineage need not find out for itself.
  const weight = outages >= patience ? patience : weightOf(error, now, validUntil);
  const issuerFailures = { ...state.issuerFailures, [issuer]: (state.issuerFailures[issuer] ?? 0) + weight };
  const ladder = nextAttempt(
    { failures, retry: error.retry, retryAt: error.retryAt, validUntil, random },
    now,
  );
  const goesOn = hasFreshIssuer(issuers, issuerFailures, issuer);
  const tellNow = error.retry === 'blocked' || failures >= 3 || validUntil === undefined;
  return {
    ...state,
    failures,
    failingSince: state.failingSince ?? now,
    issuerFailures,
    lastFailure: failureOf(error, issuer, now),
    retryAt: goesOn ? now : ladder,
    requested: goesOn ? state.requested : afterFailure(state, held.state, ladder),
    reminders:
      tellNow && state.reminders.toldAt === undefined ? { ...state.reminders, toldAt: now } : state.reminders,
  };
}

/** The next issuer may still answer a request; one that was forced stays a wish, on the ladder and without its task. */
function afterFailure(state: RenewalState, seen: RenewalState, retryAt: Instant): RenewalState['requested'] {
  const newer = answered(state, seen);
  return newer ?? (seen.requested?.force === true ? { at: retryAt, force: true } : undefined);
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

/** Tells the task of the request that was worked on. */
export async function settle(
  held: Held,
  result: { state: 'done' | 'failed' | 'skipped'; note: string },
  needs: OutcomeNeeds,
): Promise<void> {
  const task = held.state.requested?.task;
  if (task !== undefined) await needs.tasks.settle(task, { id: held.lineage.id, ...result });
}

export function pointOf(certificate: Certificate, needs: Pick<OutcomeNeeds, 'settings'>): Instant {
  return renewalPoint(certificate, {
    lineage: certificate.lineage,
    ceilingMs: needs.settings().renewalCeilingMs,
  });
}

export function toCase({ lineage, certificate, state }: Held, { clock }: OutcomeNeeds): Case {
  return { lineage, certificate, state, now: clock.now() };
}
