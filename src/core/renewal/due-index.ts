import { fallbackId } from '../policies.ts';
import type { Ports } from '../ports.ts';
import { deploymentId, freshDeployment, freshRenewal } from '../records.ts';
import { revocationDueAt } from '../revocation/revoking.ts';
import type { Domain, DueEntry, Lineage, RenewalState, Settings } from '../types.ts';
import { dueOfLineage, nextDeploy } from './next-action.ts';

export type RefreshNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'renewals' | 'deployments' | 'due' | 'changes' | 'clock'
> & { readonly settings: () => Settings };

/** Name of the chore that does this; a clock set back asks for it, and a changed configuration. */
export const dueIndexChore = 'due-index';

/**
 * Computes what is due anew, from state: entries that are missing or, after a clock stood ahead, lie too late are
 * written. None is put off, so that it may run beside the work itself. Resolves with how many were mended.
 */
export async function refreshDue(needs: RefreshNeeds): Promise<number> {
  let mended = 0;
  for (const domain of await needs.wishes.domains()) {
    const entries = await entriesOf(domain, needs);
    const known = await Promise.all(entries.map(({ job, id }) => needs.due.at(job, id)));
    const late = entries.filter(({ at }, index) => at < (known[index] ?? Number.POSITIVE_INFINITY));
    if (late.length > 0) await needs.changes.commit({ due: late });
    mended += late.length;
  }
  return mended;
}

async function entriesOf(domain: Domain, needs: RefreshNeeds): Promise<readonly DueEntry[]> {
  const { certificates, renewals, clock } = needs;
  const lineages = (await certificates.lineages(domain.name)).filter(({ source }) => source === 'acme');
  const ids = lineages.map(({ id }) => id);
  const [states, currents] = await Promise.all([renewals.many(ids), certificates.currents(ids)]);
  const now = clock.now();
  const own = lineages.flatMap((lineage, index) => {
    const given = {
      lineage,
      state: states[index] ?? freshRenewal(lineage.id),
      certificate: currents[index],
      now,
    };
    // Of a domain that left the file only what is to be revoked goes on.
    return domain.disabledAt === undefined
      ? dueOfLineage(given)
      : [{ job: 'issue' as const, id: lineage.id, at: revocationDueAt(given.state, given) }];
  });
  const targets = domain.disabledAt === undefined ? domain.deploy : [];
  const deploys = await Promise.all(
    targets.flatMap((target) =>
      lineages.flatMap((lineage, index) =>
        lineage.unwantedSince === undefined ? deployOf(target, { lineage, state: states[index] }, needs) : [],
      ),
    ),
  );
  return [...own, ...deploys].flatMap(({ job, id, at }) => (at === undefined ? [] : [{ job, id, at }]));
}

async function deployOf(
  target: string,
  { lineage, state }: { readonly lineage: Lineage; readonly state: RenewalState | undefined },
  { certificates, deployments, settings, clock }: RefreshNeeds,
): Promise<{ job: 'deploy'; id: string; at: number | undefined }> {
  const [stored, certificate, fallback] = await Promise.all([
    deployments.get(target, lineage.id),
    certificates.certificate(lineage.id),
    certificates.certificate(fallbackId(lineage.policy ?? lineage.id)),
  ]);
  const deployment = stored ?? freshDeployment(target, lineage.id);
  const { revokedAt } = state ?? {};
  const mark = settings().targetMarks?.[target];
  const at = nextDeploy({ deployment, certificate, fallback, revokedAt, mark, now: clock.now() });
  return { job: 'deploy', id: deploymentId(target, lineage.id), at };
}
