import { isAgentError } from '../errors.ts';
import { heldOf } from '../held-lineages.ts';
import { acquireInTime, wishesLock } from '../locks.ts';
import type { Change, Ports } from '../ports.ts';
import { untilUncontested } from '../records.ts';
import type { LineageId, Settings } from '../types.ts';
import { planLineages, type StoredWish, type WishEdit } from './lineage-plan.ts';

export type { StoredWish, WishEdit } from './lineage-plan.ts';

export type ReconcileNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'renewals' | 'changes' | 'locks' | 'jobs' | 'clock'
> & {
  readonly settings: () => Settings;
};

export interface Reconciled {
  /** Lineages that serve the wish now. */
  readonly wanted: readonly LineageId[];
}

const lockMs = 30_000;

/**
 * Changes the wishes of one domain and, in the same write, the lineages that follow from them; then wakes the work.
 * `edit` sees what is stored and may throw to refuse; undefined changes nothing but still brings the lineages in line.
 * The only way a wish changes, for the file and for commands.
 */
export async function changeWishes(
  name: string,
  edit: (stored: StoredWish) => WishEdit | undefined,
  needs: ReconcileNeeds,
): Promise<Reconciled> {
  const wait = { name: wishesLock(name), ttlMs: lockMs, waitMs: lockMs, busy: `another change of ${name}` };
  const lock = await acquireInTime(wait, needs);
  try {
    // Jobs write the renewal states meanwhile.
    const plan = await untilUncontested(async () => {
      const stored = await readWish(name, needs);
      const change = edit(stored) ?? {};
      if (stored.damage !== undefined && change.domain === undefined) throw stored.damage;
      const lineages = await needs.certificates.lineages(name);
      const held = await heldOf(
        lineages.filter(({ source }) => source === 'acme'),
        needs,
      );
      const uploads = lineages.filter(({ source }) => source === 'upload').map(({ id }) => id);
      const [settings, now] = [needs.settings(), needs.clock.now()];
      const planned = planLineages({ name, stored, edit: change, held, uploads, settings, now });
      if (!isEmpty(planned.change)) await needs.changes.commit({ fence: lock, ...planned.change });
      return planned;
    });
    await needs.jobs.wake('deploy', plan.wakeDeploy);
    await needs.jobs.wake('issue', plan.wakeIssue);
    return { wanted: plan.wanted };
  } finally {
    await lock.release();
  }
}

export async function readWish(
  name: string,
  { wishes }: Pick<ReconcileNeeds, 'wishes'>,
): Promise<StoredWish> {
  const [read, hosts, groups] = await Promise.all([
    wishes.domain(name).then(
      (domain) => ({ domain }),
      (damage: unknown) => ({ domain: undefined, damage }),
    ),
    wishes.hosts(name),
    wishes.groups(name),
  ]);
  if ('damage' in read && !isAgentError(read.damage, 'store.record')) throw read.damage;
  return { ...read, hosts, groups };
}

function isEmpty(change: Change): boolean {
  return Object.values(change).every(
    (part) => part === undefined || (Array.isArray(part) && part.length === 0),
  );
}
