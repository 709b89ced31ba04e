import { nextAttempt } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editDeployment } from '../records.ts';
import { failureOf } from '../renewal/failure.ts';
import { nextDeploy } from '../renewal/next-action.ts';
import type { Certificate, Deployment, Lineage, NewEvent, RenewalState } from '../types.ts';

export type RecordNeeds = Pick<Ports, 'deployments' | 'changes' | 'jobs' | 'clock' | 'log'> & {
  readonly random: () => number;
};

/** One lineage at one target, as it stood when a deployment began. */
export interface Slot {
  readonly target: string;
  readonly lineage: Lineage;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
  readonly fallback: Certificate | undefined;
  /** Of the target, as it is configured. */
  readonly mark: string | undefined;
}

/** People hear of a deployment at its second failure: the first may be a restart. */
const toldFrom = 2;

/** What was observed at the target, when to look there again, and what there is to tell of it. */
export async function recordObserved(slot: Slot, shown: Certificate, needs: RecordNeeds): Promise<void> {
  const { target, lineage } = slot;
  const now = needs.clock.now();
  await editDeployment({ target, lineage: lineage.id }, needs, (before): Change => {
    const after: Deployment = {
      version: before.version,
      target,
      lineage: lineage.id,
      observed: { fingerprint: shown.fingerprint, source: shown.source, at: now },
      mark: slot.mark,
      failures: 0,
      fallbackTold: shown.source === 'self-signed' && (before.fallbackTold === true || isNews(slot)),
      // Purged while we deployed, it has yet to go.
      leaving: before.leaving,
    };
    const fallback = shown.source === 'self-signed' ? shown : slot.fallback;
    const { certificate, state, mark } = slot;
    const { revokedAt } = state;
    const at = nextDeploy({ deployment: after, certificate, fallback, revokedAt, mark, now });
    const id = deploymentId(target, lineage.id);
    return {
      putDeployments: [after],
      // What waits for the successor of a certificate to be seen is looked at again.
      due: [
        { job: 'deploy', id, at },
        ...(state.revoking === undefined ? [] : [{ job: 'issue' as const, id: lineage.id, at: now }]),
      ],
      events: eventsOf({ slot, before, after, shown }),
    };
  });
  needs.log.info(
    { target, lineage: lineage.id, source: shown.source, serial: shown.serial },
    'certificate deployed',
  );
  if (slot.state.revoking !== undefined) await needs.jobs.wake('issue', [lineage.id]);
}

/** A deployment fails on its own ladder. */
export async function recordFailure(
  { target, lineage, certificate, mark }: Slot,
  error: AgentError,
  needs: RecordNeeds,
): Promise<void> {
  const now = needs.clock.now();
  needs.log.warn({ target, lineage: lineage.id, code: error.code, err: error }, 'certificate not deployed');
  await editDeployment({ target, lineage: lineage.id }, needs, (before): Change => {
    const failures = before.failures + 1;
    const validUntil =
      certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
    const retryAt = nextAttempt({ failures, retry: error.retry, validUntil, random: needs.random() }, now);
    const lastFailure = failureOf(error, undefined, now);
    const after: Deployment = { ...before, mark, failures, retryAt, lastFailure };
    const facts = {
      target,
      ...lastFailure,
      failures,
      retryAt,
      tell: failures === toldFrom,
      names: lineage.wanted.names,
    };
    return {
      putDeployments: [after],
      due: [{ job: 'deploy', id: deploymentId(target, lineage.id), at: retryAt }],
      events: [{ type: 'deploy.failed', domain: lineage.domain, lineage: lineage.id, facts }],
    };
  });
}

/** A fallback before the first attempt is how every host starts; after a failure or an expiry it is news. */
export function isNews({ state, certificate }: Pick<Slot, 'state' | 'certificate'>): boolean {
  return state.failures > 0 || certificate !== undefined;
}

function eventsOf(step: {
  slot: Slot;
  before: Deployment;
  after: Deployment;
  shown: Certificate;
}): readonly NewEvent[] {
  const { slot, before, after, shown } = step;
  const about = { domain: slot.lineage.domain, lineage: slot.lineage.id };
  const { serial, source, notAfter } = shown;
  const facts = { target: slot.target, serial, source, notAfter, names: slot.lineage.wanted.names };
  const events: NewEvent[] = [];
  if (before.observed?.fingerprint !== shown.fingerprint)
    events.push({ type: 'deploy.done', ...about, facts });
  if (before.failures >= toldFrom) events.push({ type: 'deploy.recovered', ...about, facts });
  if (after.fallbackTold === true && before.fallbackTold !== true)
    events.push({
      type: 'certificate.fallback',
      ...about,
      facts: { ...facts, ...slot.state.lastFailure, retryAt: slot.state.retryAt, names: facts.names },
    });
  return events;
}
