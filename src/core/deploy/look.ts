import { isAgentError, toAgentError } from '../errors.ts';
import { slotOf } from '../policies.ts';
import type { Change, Ports } from '../ports.ts';
import { deploymentId, editDeployment } from '../records.ts';
import type { Deployment, Domain, Lineage } from '../types.ts';
import { atTarget } from './at-target.ts';
import { hasPlace } from './holdings.ts';

export type LookNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'deployments' | 'deployers' | 'changes' | 'jobs' | 'clock' | 'log'
>;

/**
 * Looks what the targets show, long after it was placed there: where that is gone, or something else, it is deployed
 * anew, and fails on the ladder of the deployment if it has to. At a target that cannot be looked at one deployment
 * finds out for all. A chore; may run twice.
 */
export async function lookAtTargets(needs: LookNeeds, signal: AbortSignal): Promise<void> {
  const dark = new Set<string>();
  for (const domain of await needs.wishes.domains()) {
    const lineages = await needs.certificates.lineages(domain.name);
    for (const lineage of lineages) {
      if (!(await hasPlace(lineage, domain, needs))) continue;
      const placed = (await needs.deployments.of(lineage.id)).filter((one) => isSettled(one, domain));
      for (const deployment of placed) {
        signal.throwIfAborted();
        if (!dark.has(deployment.target)) await lookAt(deployment, { lineage, dark }, needs, signal);
      }
    }
  }
}

/** What has yet to be placed, or failed, is seen to anyway. */
function isSettled({ target, observed, failures }: Deployment, domain: Domain): boolean {
  return observed !== undefined && failures === 0 && domain.deploy.includes(target);
}

async function lookAt(
  deployment: Deployment,
  { lineage, dark }: { readonly lineage: Lineage; readonly dark: Set<string> },
  needs: LookNeeds,
  signal: AbortSignal,
): Promise<void> {
  const { target, observed } = deployment;
  const around = { clock: needs.clock, signal };
  try {
    const deployer = needs.deployers.get(target);
    const seen = await atTarget(deployer, (both) => deployer.observe(slotOf(lineage), both), around);
    if (seen === observed?.fingerprint) return;
    needs.log.warn({ target, lineage: lineage.id }, 'the target shows something else than was deployed');
  } catch (error) {
    if (signal.aborted) throw error;
    const err = toAgentError(error);
    if (!isAgentError(err, 'deploy.mismatch')) dark.add(target);
    needs.log.warn({ target, lineage: lineage.id, code: err.code, err }, 'the target cannot be looked at');
  }
  await deployAnew(deployment, needs);
}

async function deployAnew({ target, lineage, version }: Deployment, needs: LookNeeds): Promise<void> {
  const id = deploymentId(target, lineage);
  await editDeployment({ target, lineage }, needs, (before): Change | undefined =>
    // Somebody was there since.
    before.version === version
      ? {
          putDeployments: [{ ...before, observed: undefined }],
          due: [{ job: 'deploy', id, at: needs.clock.now() }],
        }
      : undefined,
  );
  await needs.jobs.wake('deploy', [id]);
}
