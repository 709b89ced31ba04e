import { type Holdings, hasPlace, readHoldings, showingOf } from '../deploy/holdings.ts';
import type { Showing } from '../deploy/showing.ts';
import { type HeldLineage, heldOf } from '../held-lineages.ts';
import type { Ports } from '../ports.ts';
import { deploymentId, freshDeployment } from '../records.ts';
import { revocationDueAt } from '../revocation/revoking.ts';
import type { Binding, Domain, DueEntry, Lineage, Settings } from '../types.ts';
import { type DueWrite, dueOfLineage, nextDeploy } from './next-action.ts';

export type RefreshNeeds = Pick<
  Ports,
  | 'wishes'
  | 'certificates'
  | 'bindings'
  | 'renewals'
  | 'issuances'
  | 'deployments'
  | 'due'
  | 'changes'
  | 'clock'
> & { readonly settings: () => Settings };

/** Name of the chore that does this; a clock set back asks for it, and a changed configuration. */
export const dueIndexChore = 'due-index';

/**
 * Computes what is due anew, from state: entries that are missing or, after a clock stood ahead, lie too late are
 * written. None is put off, so that it may run beside the work itself. Resolves with how many were mended.
 */
export async function refreshDue(needs: RefreshNeeds): Promise<number> {
  const [domains, lineages, bindings, underWay] = await Promise.all([
    needs.wishes.domains(),
    needs.certificates.lineages(),
    needs.bindings.all(),
    needs.issuances.all(),
  ]);
  const byName = new Map(domains.map((domain) => [domain.name, domain]));
  const orders = new Set(underWay);
  let mended = 0;
  // Also of domains that are there no more: something may be left to end.
  for (const [name, own] of byDomain(lineages))
    mended += await mend(await entriesOf(own, { domain: byName.get(name), bindings, orders }, needs), needs);
  return mended + (await mend(await clearsOf(lineages, needs), needs));
}

async function mend(
  entries: readonly DueEntry[],
  { due, changes }: Pick<RefreshNeeds, 'due' | 'changes'>,
): Promise<number> {
  const known = await Promise.all(entries.map(({ job, id }) => due.at(job, id)));
  const late = entries.filter(({ at }, index) => at < (known[index] ?? Number.POSITIVE_INFINITY));
  if (late.length > 0) await changes.commit({ due: late });
  return late.length;
}

/** Of purged lineages, which no list has any more: what they left at their targets. */
async function clearsOf(
  lineages: readonly Lineage[],
  { deployments, clock }: RefreshNeeds,
): Promise<readonly DueEntry[]> {
  const there = new Set(lineages.map(({ id }) => id));
  const left = (await deployments.leaving()).filter(({ lineage }) => !there.has(lineage));
  return left.map(({ target, lineage, retryAt = clock.now() }) => ({
    ...{ job: 'deploy', id: deploymentId(target, lineage), at: retryAt },
  }));
}

function byDomain(lineages: readonly Lineage[]): ReadonlyMap<string, readonly Lineage[]> {
  const found = new Map<string, Lineage[]>();
  for (const lineage of lineages) {
    const own = found.get(lineage.domain) ?? [];
    own.push(lineage);
    found.set(lineage.domain, own);
  }
  return found;
}

interface Around {
  readonly domain: Domain | undefined;
  readonly bindings: readonly Binding[];
  readonly orders: ReadonlySet<string>;
}

async function entriesOf(
  lineages: readonly Lineage[],
  { domain, bindings, orders }: Around,
  needs: RefreshNeeds,
): Promise<readonly DueEntry[]> {
  const all = await heldOf(lineages, needs);
  const held = all.filter(({ lineage }) => lineage.source !== 'self-signed');
  const isServed = domain !== undefined && domain.disabledAt === undefined;
  const own = await Promise.all(
    held.map(async (one) =>
      isServed ? await ofServed(one, orders, needs) : [leftToDo(one, orders, needs.clock.now())],
    ),
  );
  const deploys = isServed
    ? await deploysOf(
        held,
        { domain, holdings: await readHoldings(domain, { held: all, bindings }, needs) },
        needs,
      )
    : [];
  return [...own.flat(), ...deploys].flatMap(({ job, id, at }) =>
    at === undefined ? [] : [{ job, id, at }],
  );
}

async function ofServed(
  held: HeldLineage,
  orders: ReadonlySet<string>,
  { issuances, clock }: RefreshNeeds,
): Promise<readonly DueWrite[]> {
  const { id } = held.lineage;
  const open = orders.has(id) ? await issuances.get(id) : undefined;
  return dueOfLineage({ ...held, open, now: clock.now() });
}

/** Of a domain that was removed or left the file only what is to be revoked goes on, and what is under way is ended. */
function leftToDo(held: HeldLineage, orders: ReadonlySet<string>, now: number): DueWrite {
  const { id } = held.lineage;
  return { job: 'issue', id, at: orders.has(id) ? now : revocationDueAt(held.state, { ...held, now }) };
}

async function deploysOf(
  held: readonly HeldLineage[],
  { domain, holdings }: { readonly domain: Domain; readonly holdings: Holdings },
  needs: RefreshNeeds,
): Promise<readonly DueWrite[]> {
  const found = await Promise.all(
    held.map(async ({ lineage }) => {
      if (!(await hasPlace(lineage, domain, needs))) return [];
      const showing = showingOf(lineage, holdings);
      return Promise.all(domain.deploy.map((target) => deployOf(target, showing, needs)));
    }),
  );
  return found.flat();
}

async function deployOf(
  target: string,
  showing: Showing,
  { deployments, settings, clock }: RefreshNeeds,
): Promise<DueWrite> {
  const { id } = showing.lineage;
  const deployment = (await deployments.get(target, id)) ?? freshDeployment(target, id);
  const mark = settings().targetMarks?.[target];
  const at = nextDeploy({ deployment, showing, mark, now: clock.now() });
  return { job: 'deploy', id: deploymentId(target, id), at };
}
