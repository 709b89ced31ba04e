import type { Change, Ports } from './ports.ts';
import { freshRenewal, untilUncontested } from './records.ts';
import type { Certificate, Lineage, LineageId, RenewalState } from './types.ts';

/** A lineage with its current certificate and what is remembered of it. */
export interface HeldLineage {
  readonly lineage: Lineage;
  readonly state: RenewalState;
  readonly certificate: Certificate | undefined;
}

type HeldNeeds = Pick<Ports, 'certificates' | 'renewals'>;

/** In one round trip for any number of them, in the order given. */
export async function heldOf(
  lineages: readonly Lineage[],
  { certificates, renewals }: HeldNeeds,
): Promise<readonly HeldLineage[]> {
  const ids = lineages.map(({ id }) => id);
  const [states, currents] = await Promise.all([renewals.many(ids), certificates.currents(ids)]);
  return lineages.map((lineage, index) => ({
    lineage,
    state: states[index] ?? freshRenewal(lineage.id),
    certificate: currents[index],
  }));
}

/** undefined: there is no such lineage. */
export async function heldBy(id: LineageId, needs: HeldNeeds): Promise<HeldLineage | undefined> {
  // First the state: a certificate is stored with a new version of it, so what is written over this one knew of it. What
  // is asked first of the store is read first: all goes over one connection.
  const [state, lineage, certificate] = await Promise.all([
    needs.renewals.get(id),
    needs.certificates.lineage(id),
    needs.certificates.certificate(id),
  ]);
  return lineage && { lineage, state, certificate };
}

/**
 * As `editRenewal`, for what follows from lineage and certificate too: they are read anew at each try. Resolves with
 * false where there is no such lineage; then nothing was written.
 */
export function editHeld(
  id: LineageId,
  needs: HeldNeeds & Pick<Ports, 'changes'>,
  edit: (held: HeldLineage) => Promise<Change | undefined> | Change | undefined,
): Promise<boolean> {
  return untilUncontested(async () => {
    const held = await heldBy(id, needs);
    const change = held && (await edit(held));
    if (change !== undefined) await needs.changes.commit(change);
    return held !== undefined;
  });
}
