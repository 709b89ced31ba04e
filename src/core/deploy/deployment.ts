import { nextAttempt } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editDeployment } from '../records.ts';
import { failureOf } from '../renewal/failure.ts';
import { nextDeploy } from '../renewal/next-action.ts';
import type { Amiss, Certificate, Deployment, Failure, NewEvent, RenewalState, Settings } from '../types.ts';
import { type Showing, showable } from './showing.ts';

export type RecordNeeds = Pick<Ports, 'deployments' | 'changes' | 'jobs' | 'clock' | 'log'> & {
  readonly random: () => number;
  readonly settings: () => Settings;
};

/** The place of one lineage at one target, as it stood when a deployment began. */
export interface Slot extends Showing {
  readonly target: string;
  readonly state: RenewalState;
  /** Of the target, as it is configured. */
  readonly mark: string | undefined;
  /** Why it is deployed anew, though it lies there. */
  readonly amiss: Amiss | undefined;
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
      observed: {
        fingerprint: shown.fingerprint,
        source: shown.source,
        at: now,
        lineage: shown.source === 'self-signed' || shown.lineage === lineage.id ? undefined : shown.lineage,
      },
      mark: slot.mark,
      // A probe says whether that has mended it.
      amiss: needs.settings().probes?.[target] && withoutStep(before.amiss, slot.amiss),
      failures: 0,
      fallbackTold: shown.source === 'self-signed' && (before.fallbackTold === true || isNews(slot)),
      // Purged while we deployed, it has yet to go.
      leaving: before.leaving,
    };
    const { state, mark } = slot;
    const standIn = shown.source === 'self-signed' ? showable(shown, lineage) : slot.fallback;
    const at = nextDeploy({ deployment: after, showing: { ...slot, fallback: standIn }, mark, now });
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

/** What was seen while we deployed is a reason to deploy once more. */
function withoutStep(now: Amiss | undefined, before: Amiss | undefined): Amiss | undefined {
  return now?.at === before?.at && now !== undefined ? { ...now, retryAt: undefined } : now;
}

/** A deployment fails on its own ladder. */
export async function recordFailure(
  { target, lineage, own, mark }: Slot,
  error: AgentError,
  needs: RecordNeeds,
): Promise<void> {
  const now = needs.clock.now();
  needs.log.warn({ target, lineage: lineage.id, code: error.code, err: error }, 'certificate not deployed');
  await editDeployment({ target, lineage: lineage.id }, needs, (before): Change => {
    const failures = before.failures + 1;
    const { notAfter = 0 } = own?.certificate ?? {};
    const validUntil = notAfter <= now ? undefined : notAfter;
    const { retry, retryAt: asked } = error;
    const retryAt = nextAttempt({ failures, retry, retryAt: asked, validUntil, random: needs.random() }, now);
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
export function isNews({ state, own }: Pick<Slot, 'state' | 'own'>): boolean {
  return state.failures > 0 || own !== undefined;
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
      facts: { ...facts, ...causeOf(slot), retryAt: slot.state.retryAt, names: facts.names },
    });
  return events;
}

/** Why there is nothing better than the fallback, for people. */
function causeOf({ lineage: { id, source }, state }: Slot): Partial<Failure> {
  if (source !== 'upload') return state.lastFailure ?? {};
  return {
    message: `the certificate ${id}, which was uploaded, is not valid any more, and nothing else is held for its names`,
    advice: `Upload its successor: acme-agent certs add FILE --replace ${id}.`,
  };
}
