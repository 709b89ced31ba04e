import { editHeld, type HeldLineage } from '../held-lineages.ts';
import type { Ports } from '../ports.ts';
import type { DueEntry, NewEvent, RenewalState } from '../types.ts';
import type { Held } from './held.ts';
import { dueOfLineage } from './next-action.ts';

export interface Memory {
  readonly state: RenewalState;
  readonly events?: readonly NewEvent[] | undefined;
  /** Deployments that come of it. */
  readonly deploys?: readonly DueEntry[] | undefined;
}

/**
 * Writes what a run found out of a lineage, with when to come back. Whether anybody wants it is read anew: its host may
 * have been removed while the CA was asked, and then its order has to be ended. `edit` as in `editRenewal`.
 */
export async function remember(
  { lineage: { id }, open, fence }: Pick<Held, 'lineage' | 'open' | 'fence'>,
  needs: Pick<Ports, 'certificates' | 'renewals' | 'changes' | 'clock'>,
  edit: (seen: HeldLineage) => Memory | undefined,
): Promise<void> {
  await editHeld(id, needs, (seen) => {
    const made = edit(seen);
    if (made === undefined) return undefined;
    const { state, events, deploys = [] } = made;
    const due = dueOfLineage({ ...seen, state, open, now: needs.clock.now() });
    return { fence, putRenewals: [state], due: [...due, ...deploys], events };
  });
}
