import { isAgentError } from './errors.ts';
import type { Change, Ports } from './ports.ts';
import type { Deployment, Instant, LineageId, RenewalState } from './types.ts';

/** The state of a lineage about which nothing is known. */
export function freshRenewal(lineage: LineageId): RenewalState {
  return { lineage, version: 0, failures: 0, issuerFailures: {}, reminders: { count: 0 } };
}

export function freshDeployment(target: string, lineage: LineageId): Deployment {
  return { target, lineage, version: 0, failures: 0 };
}

export function deploymentId(target: string, lineage: LineageId): string {
  return `${target}|${lineage}`;
}

/** Due entries of the deployments of a lineage to these targets. */
export function deployAt(
  targets: readonly string[],
  lineage: LineageId,
  at: Instant,
): readonly { readonly job: 'deploy'; readonly id: string; readonly at: Instant }[] {
  return targets.map((target) => ({ job: 'deploy', id: deploymentId(target, lineage), at }));
}

export function parseDeploymentId(id: string): { target: string; lineage: LineageId } {
  const bar = id.indexOf('|');
  return { target: id.slice(0, bar), lineage: id.slice(bar + 1) };
}

/**
 * Reads, lets `edit` say what to write, writes; again if somebody else wrote between. `edit` gets the state as it is
 * now and may be called several times; undefined leaves everything as it is.
 */
export async function editRenewal(
  lineage: LineageId,
  needs: Pick<Ports, 'renewals' | 'changes'>,
  edit: (state: RenewalState) => Promise<Change | undefined> | Change | undefined,
): Promise<void> {
  await untilUncontested(async () => {
    const change = await edit(await needs.renewals.get(lineage));
    if (change !== undefined) await needs.changes.commit(change);
  });
}

/** As editRenewal, for a deployment. */
export async function editDeployment(
  { target, lineage }: { target: string; lineage: LineageId },
  needs: Pick<Ports, 'deployments' | 'changes'>,
  edit: (deployment: Deployment) => Promise<Change | undefined> | Change | undefined,
): Promise<void> {
  await untilUncontested(async () => {
    const stored = await needs.deployments.get(target, lineage);
    const change = await edit(stored ?? freshDeployment(target, lineage));
    if (change !== undefined) await needs.changes.commit(change);
  });
}

const tries = 20;

/** Reads and writes again as long as somebody else writes between. */
export async function untilUncontested<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (!isAgentError(error, 'store.conflict') || attempt === tries) throw error;
    }
  }
}
