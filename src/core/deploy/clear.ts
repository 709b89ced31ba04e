import { nextAttempt } from '../backoff.ts';
import { toAgentError } from '../errors.ts';
import { slotOf } from '../policies.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editDeployment, freshDeployment } from '../records.ts';
import { failureOf } from '../renewal/failure.ts';
import type { Deployment, Instant, Lineage, Settings } from '../types.ts';
import { atTarget } from './at-target.ts';
import type { RecordNeeds } from './deployment.ts';

export type ClearNeeds = RecordNeeds &
  Pick<Ports, 'deployers'> & {
    readonly settings: () => Settings;
  };

interface At {
  readonly target: string;
  readonly lineage: string;
}

/**
 * What to write beside the removal of a lineage, so that the targets which showed it are cleared of it. The record has to
 * outlive the lineage: that one is not in the store says nothing, after the restore of an old backup say. `targets`:
 * those of the domain, where the first deployment may be under way.
 */
export function clearLater(
  lineage: Lineage,
  {
    deployments,
    targets,
  }: { readonly deployments: readonly Deployment[]; readonly targets: readonly string[] },
  now: Instant,
): Pick<Change, 'putDeployments' | 'due'> {
  const { lineage: id, ...leaving } = slotOf(lineage);
  const known = deployments.map(({ target }) => target);
  const first = targets
    .filter((target) => !known.includes(target))
    .map((target) => freshDeployment(target, id));
  const all = [...deployments, ...first];
  return {
    putDeployments: all.map(({ target, version }) => ({
      ...{ target, version, lineage: id, leaving },
      failures: 0,
    })),
    due: all.map(({ target }) => ({ job: 'deploy', id: deploymentId(target, id), at: now })),
  };
}

/** There is no such lineage: what it left at the target is taken away, if it was purged. On a ladder of its own. May run twice. */
export async function clear(at: At, needs: ClearNeeds, signal: AbortSignal): Promise<void> {
  const deployment = await needs.deployments.get(at.target, at.lineage);
  const due = (when: Instant | undefined): Change => ({
    due: [{ job: 'deploy', id: deploymentId(at.target, at.lineage), at: when }],
  });
  if (deployment?.leaving === undefined) return needs.changes.commit(due(undefined));
  try {
    const slot = { ...deployment.leaving, lineage: at.lineage };
    // Of a target that the file does not define any more nobody knows where it is.
    if (needs.settings().deployTargets.includes(at.target)) {
      const deployer = needs.deployers.get(at.target);
      const around = { clock: needs.clock, signal };
      await atTarget(deployer, async (both) => deployer.remove?.(slot, both), around);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    const failure = toAgentError(error);
    const now = needs.clock.now();
    needs.log.warn(
      { ...at, code: failure.code, err: failure },
      'a purged certificate is still at its target',
    );
    return editDeployment(at, needs, (before) => {
      const failures = before.failures + 1;
      const { retry } = failure;
      const retryAt = nextAttempt({ failures, retry, validUntil: undefined, random: needs.random() }, now);
      const lastFailure = failureOf(failure, undefined, now);
      return { putDeployments: [{ ...before, failures, retryAt, lastFailure }], ...due(retryAt) };
    });
  }
  await needs.changes.commit({ removeDeployments: [deployment], ...due(undefined) });
  needs.log.info(at, 'a purged certificate was taken away from its target');
}
