import { heldBy } from '../held-lineages.ts';
import { abandon, type IssuanceNeeds } from '../order/issuance.ts';
import type { Fence, Ports } from '../ports.ts';
import { type RevocationNeeds, revokeDue } from '../revocation/revocation.ts';
import { revocationDueAt } from '../revocation/revoking.ts';
import type { Instant } from '../types.ts';

type ForgetNeeds = IssuanceNeeds & RevocationNeeds & Pick<Ports, 'issuances'>;

/** Its domain is gone or disabled, or it is no lineage that we order for: whoever waits for it is told. */
export async function forget(
  lineageId: string,
  fence: Fence,
  needs: ForgetNeeds,
  signal: AbortSignal,
): Promise<undefined> {
  const open = await needs.issuances.get(lineageId);
  if (open !== undefined) await abandon(open, fence, needs);
  const { requested, revoking } = await needs.renewals.get(lineageId);
  if (requested?.task !== undefined)
    await needs.tasks.settle(requested.task, { id: lineageId, state: 'skipped', note: 'no longer wanted' });
  const revokeAt = revoking && (await revokeUnwanted(lineageId, fence, needs, signal));
  await needs.changes.commit({
    due: [
      { job: 'issue', id: lineageId, at: revokeAt },
      { job: 'remind', id: lineageId, at: undefined },
    ],
  });
}

/** Resolves with when to look at it again. */
async function revokeUnwanted(
  lineageId: string,
  fence: Fence,
  needs: ForgetNeeds,
  signal: AbortSignal,
): Promise<Instant | undefined> {
  const held = await heldBy(lineageId, needs);
  if (held === undefined) return undefined;
  const { lineage, certificate } = held;
  const after = await revokeDue({ ...held, domain: undefined, fence }, needs, signal);
  return revocationDueAt(after, { lineage, certificate, now: needs.clock.now() });
}
