import { AgentError, isAgentError, toAgentError } from '../errors.ts';
import { slotOf } from '../policies.ts';
import type { Ports } from '../ports.ts';
import { deploymentId } from '../records.ts';
import type { Bundle, Instant } from '../types.ts';
import type { Again } from '../wait.ts';
import { atTarget } from './at-target.ts';
import { type ClearNeeds, clear } from './clear.ts';
import { isNews, recordFailure, recordObserved, type Slot } from './deployment.ts';
import { hasPlace, readShowing } from './holdings.ts';
import { type FallbackNeeds, fallbackBundle } from './make-fallback.ts';
import { type ProbeNeeds, probeAfterDeployment } from './probe.ts';
import { showingEndsAt, trustedFor } from './showing.ts';

export type DeployNeeds = FallbackNeeds &
  ClearNeeds &
  ProbeNeeds &
  Pick<Ports, 'wishes' | 'renewals' | 'bindings' | 'deployers' | 'locks'>;

/** So long nobody goes on with the deployment of a killed worker. */
const lockMs = 15_000;
const busyMs = 2000;

/**
 * Makes one target show what it should in the place of one lineage: what comes first there by the order of precedence,
 * or the self-signed fallback, made here if there is none. Success is what was observed at the target; until the target
 * can say that, the deployment comes back. A failure stays with it, on its own ladder; the lineage is not touched.
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
      const slot = await load(at, needs);
      if (slot === undefined) {
        await forget(at, needs, both);
        // Who wants it again since we looked has written a due entry that is gone now.
        if ((await load(at, needs)) === undefined) return undefined;
        continue;
      }
      const again = await deployOnce(slot, needs, both);
      if (!(await isOutdated(slot, needs))) return again;
    }
  } finally {
    await lock.release();
  }
}

async function deployOnce(slot: Slot, needs: DeployNeeds, signal: AbortSignal): Promise<Again | undefined> {
  try {
    const bundle = await chosen(slot, needs);
    const deployer = needs.deployers.get(slot.target);
    const request = { bundle, slot: slotOf(slot.lineage), amissAt: slot.amiss?.at };
    const around = { clock: needs.clock, signal };
    const result = await atTarget(deployer, (both) => deployer.deploy(request, both), around);
    if ('again' in result) return result;
    if (result.observed !== bundle.certificate.fingerprint)
      throw new AgentError(
        'deploy.mismatch',
        `${slot.target} shows another certificate for ${slot.lineage.label} than was deployed`,
      );
    await recordObserved(slot, bundle.certificate, needs);
    if (slot.amiss !== undefined) await probeAfterDeployment(slot, needs, signal);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.unavailable')) throw error;
    await recordFailure(slot, toAgentError(error), needs);
  }
  return undefined;
}

/** Nothing is to be shown here; what a purged lineage showed is taken away. */
async function forget(
  at: { target: string; lineage: string },
  needs: DeployNeeds,
  signal: AbortSignal,
): Promise<void> {
  if ((await needs.certificates.lineage(at.lineage)) === undefined) return clear(at, needs, signal);
  await needs.changes.commit({
    due: [{ job: 'deploy', id: deploymentId(at.target, at.lineage), at: undefined }],
  });
}

/**
 * Whoever changed the lineage, or what comes before it, while we deployed found the job running, and the due entry that it
 * wrote is overwritten by ours. What changes after this look finds its own entry in place.
 */
async function isOutdated(slot: Slot, needs: DeployNeeds): Promise<boolean> {
  const after = await load({ target: slot.target, lineage: slot.lineage.id }, needs);
  if (after === undefined || after.mark !== slot.mark) return true;
  const now = needs.clock.now();
  return isNews(after) !== isNews(slot) || wishOf(after, now) !== wishOf(slot, now);
}

/** What is to be shown, and until when; all stand-ins are one. */
function wishOf(slot: Slot, now: Instant): string {
  const bare = { ...slot, fallback: undefined };
  return `${trustedFor(bare, now)?.fingerprint} ${showingEndsAt(bare, now)}`;
}

/** undefined: the domain or its target is gone, or the lineage has no place there: what lies there is left as it is. */
async function load(
  { target, lineage: id }: { target: string; lineage: string },
  needs: DeployNeeds,
): Promise<Slot | undefined> {
  const lineage = await needs.certificates.lineage(id);
  const domain = lineage === undefined ? undefined : await needs.wishes.domain(lineage.domain);
  if (lineage === undefined || domain === undefined || !domain.deploy.includes(target)) return undefined;
  if (!(await hasPlace(lineage, domain, needs))) return undefined;
  const mark = needs.settings().targetMarks?.[target];
  const [state, showing, deployment] = await Promise.all([
    needs.renewals.get(id),
    readShowing(lineage, domain, needs),
    needs.deployments.get(target, id),
  ]);
  return { ...showing, target, state, mark, amiss: deployment?.amiss };
}

async function chosen(slot: Slot, needs: DeployNeeds): Promise<Bundle> {
  const { lineage, own } = slot;
  const wanted = trustedFor(slot, needs.clock.now());
  // What is served there may well be that certificate, and is no worse than the fallback.
  if (wanted === undefined && own === undefined && lineage.current !== undefined)
    throw new AgentError('store.record', `the current certificate of ${lineage.id} in the store is damaged`);
  if (wanted === undefined) return fallbackBundle(slot, needs);
  const bundle = await needs.certificates.bundle(wanted.lineage);
  if (bundle !== undefined) return bundle;
  throw new AgentError('store.conflict', `${wanted.lineage} was removed while it was deployed`);
}
