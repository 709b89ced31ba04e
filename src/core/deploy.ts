import { nextAttempt } from './backoff.ts';
import { AgentError, isAgentError, toAgentError } from './errors.ts';
import { fallbackRenewAt, fallbackValidity } from './fallback.ts';
import { nextDeploy } from './next-action.ts';
import { failureOf } from './outcome.ts';
import { fallbackId, slotOf } from './policies.ts';
import type { Change, Ports } from './ports.ts';
import { deploymentId, editDeployment } from './records.ts';
import type { Bundle, Certificate, Deployment, Lineage, NewEvent, RenewalState } from './types.ts';
import type { Again } from './wait.ts';

export type DeployNeeds = Pick<
  Ports,
  | 'certificates'
  | 'wishes'
  | 'renewals'
  | 'deployments'
  | 'deployers'
  | 'changes'
  | 'locks'
  | 'pki'
  | 'clock'
  | 'log'
> & { readonly random: () => number };

/** So long nobody goes on with the deployment of a killed worker. */
const lockMs = 15_000;
const busyMs = 2000;

/**
 * Makes one target show what it should for one lineage: its certificate while that is valid, else the self-signed
 * fallback, made here if there is none. Success is what was observed at the target. A failure stays with this deployment,
 * on its own ladder; the lineage is not touched.
 */
export async function deploy(
  at: { target: string; lineage: string },
  needs: DeployNeeds,
  signal: AbortSignal,
): Promise<Again | undefined> {
  const lock = await needs.locks.tryAcquire(`deploy:${deploymentId(at.target, at.lineage)}`, lockMs);
  if (lock === undefined) return { again: needs.clock.now() + busyMs };
  try {
    const both = AbortSignal.any([signal, lock.signal]);
    for (;;) {
      const slot = await deployOnce(at, needs, both);
      if (slot === undefined || !(await isOutdated(slot, needs))) break;
    }
  } finally {
    await lock.release();
  }
  return undefined;
}

interface Slot {
  readonly target: string;
  readonly lineage: Lineage;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
  readonly fallback: Certificate | undefined;
}

async function deployOnce(
  at: { target: string; lineage: string },
  needs: DeployNeeds,
  signal: AbortSignal,
): Promise<Slot | undefined> {
  const slot = await load(at, needs);
  if (slot === undefined) {
    await needs.changes.commit({
      due: [{ job: 'deploy', id: deploymentId(at.target, at.lineage), at: undefined }],
    });
    return undefined;
  }
  try {
    const bundle = await chosen(slot, needs);
    const { observed } = await needs.deployers
      .get(slot.target)
      .deploy({ bundle, slot: slotOf(slot.lineage) }, signal);
    if (observed !== bundle.certificate.fingerprint)
      throw new AgentError(
        'deploy.mismatch',
        `${slot.target} shows another certificate for ${slot.lineage.label} than was deployed`,
      );
    await succeeded(slot, bundle.certificate, needs);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.unavailable')) throw error;
    await failed(slot, toAgentError(error), needs);
  }
  return slot;
}

/**
 * Whoever changed the lineage while we deployed found the job running, and the due entry that it wrote is overwritten by
 * ours. What changes after this look finds its own entry in place.
 */
async function isOutdated({ lineage, state, certificate }: Slot, needs: DeployNeeds): Promise<boolean> {
  const [stateNow, certificateNow] = await Promise.all([
    needs.renewals.get(lineage.id),
    needs.certificates.certificate(lineage.id),
  ]);
  if (certificateNow?.fingerprint !== certificate?.fingerprint) return true;
  return isNews({ state: stateNow, certificate }) !== isNews({ state, certificate });
}

/** undefined: the domain or its target is gone, or nothing was ever wanted here. */
async function load(
  { target, lineage: id }: { target: string; lineage: string },
  needs: DeployNeeds,
): Promise<Slot | undefined> {
  const lineage = await needs.certificates.lineage(id);
  if (lineage?.policy === undefined) return undefined;
  const domain = await needs.wishes.domain(lineage.domain);
  if (domain === undefined || !domain.deploy.includes(target)) return undefined;
  const [state, certificate, fallback] = await Promise.all([
    needs.renewals.get(id),
    needs.certificates.certificate(id),
    needs.certificates.certificate(fallbackId(lineage.policy)),
  ]);
  return { target, lineage, state, certificate, fallback };
}

async function chosen(slot: Slot, needs: DeployNeeds): Promise<Bundle> {
  const { certificate } = slot;
  const now = needs.clock.now();
  if (certificate === undefined || now >= certificate.notAfter) return fallbackBundle(slot, needs);
  const bundle = await needs.certificates.bundle(slot.lineage.id);
  if (bundle === undefined)
    throw new AgentError('bug', `the current certificate of ${slot.lineage.id} is not in the store`);
  return bundle;
}

/** The stored fallback while it has a third of its life left and covers the wished names, else a new one. */
async function fallbackBundle({ lineage, fallback }: Slot, needs: DeployNeeds): Promise<Bundle> {
  const id = fallbackId(lineage.policy ?? lineage.id);
  const fits = lineage.wanted.names.every((name) => fallback?.names.includes(name));
  if (fallback !== undefined && fits && needs.clock.now() < fallbackRenewAt(fallback)) {
    const stored = await needs.certificates.bundle(id);
    if (stored !== undefined) return stored;
  }
  try {
    return await makeFallback(id, lineage, needs);
  } catch (error) {
    // Another target, or the other key class, made the same fallback meanwhile.
    const theirs = isAgentError(error, 'store.conflict') ? await needs.certificates.bundle(id) : undefined;
    if (theirs === undefined) throw error;
    return theirs;
  }
}

async function makeFallback(id: string, lineage: Lineage, needs: DeployNeeds): Promise<Bundle> {
  const now = needs.clock.now();
  const held = await needs.certificates.lineage(id);
  const privateKey = await needs.pki.generateKey('p256');
  const { leafDer, chainDer, ...facts } = needs.pki.selfSigned(
    lineage.wanted.names,
    privateKey,
    fallbackValidity(now),
  );
  const wanted = { ...lineage.wanted, keyType: 'p256' as const };
  const generation = (held?.generations.at(-1) ?? 0) + 1;
  const certificate: Certificate = {
    ...facts,
    lineage: id,
    generation,
    source: 'self-signed',
    issuedAt: now,
    wanted,
  };
  const bundle = { certificate, leafDer, chainDer, privateKey };
  const record: Lineage = {
    id,
    source: 'self-signed',
    domain: lineage.domain,
    policy: lineage.policy,
    label: lineage.label,
    wanted,
    createdAt: held?.createdAt ?? now,
    generations: [],
  };
  await needs.changes.commit({ putLineages: [record], generation: bundle });
  return bundle;
}

async function succeeded(slot: Slot, shown: Certificate, needs: DeployNeeds): Promise<void> {
  const { target, lineage } = slot;
  const now = needs.clock.now();
  await editDeployment({ target, lineage: lineage.id }, needs, (before): Change => {
    const after: Deployment = {
      version: before.version,
      target,
      lineage: lineage.id,
      observed: { fingerprint: shown.fingerprint, source: shown.source, at: now },
      failures: 0,
      fallbackTold: shown.source === 'self-signed' && (before.fallbackTold === true || isNews(slot)),
    };
    const fallback = shown.source === 'self-signed' ? shown : slot.fallback;
    const at = nextDeploy({ deployment: after, certificate: slot.certificate, fallback, now });
    const id = deploymentId(target, lineage.id);
    return {
      putDeployments: [after],
      due: [{ job: 'deploy', id, at }],
      events: eventsOf({ slot, before, after, shown }),
    };
  });
  needs.log.info(
    { target, lineage: lineage.id, source: shown.source, serial: shown.serial },
    'certificate deployed',
  );
}

/** A fallback before the first attempt is how every host starts; after a failure or an expiry it is news. */
function isNews({ state, certificate }: Pick<Slot, 'state' | 'certificate'>): boolean {
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

/** People hear of a deployment at its second failure: the first may be a restart. */
const toldFrom = 2;

async function failed(
  { target, lineage, certificate }: Slot,
  error: AgentError,
  needs: DeployNeeds,
): Promise<void> {
  const now = needs.clock.now();
  needs.log.warn({ target, lineage: lineage.id, code: error.code, err: error }, 'certificate not deployed');
  await editDeployment({ target, lineage: lineage.id }, needs, (before): Change => {
    const failures = before.failures + 1;
    const validUntil =
      certificate === undefined || certificate.notAfter <= now ? undefined : certificate.notAfter;
    const retryAt = nextAttempt({ failures, retry: error.retry, validUntil, random: needs.random() }, now);
    const lastFailure = failureOf(error, undefined, now);
    const after: Deployment = { ...before, failures, retryAt, lastFailure };
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
