import { z } from 'zod';
import { rollBack } from '../core/renewal/rollback.ts';
import type { Instant, LineageId } from '../core/types.ts';
import { keyIdOf } from '../x509/key.ts';
import { onlyOne } from './certs.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { certificateName } from './fields.ts';

/** What happened between the run that was cut off and this one. */
const lookedAt = 200;

export interface CertificateRolledBack {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly serial: string;
  readonly expiresAt: Instant;
  /** So long it is not renewed only because that is due. */
  readonly heldUntil?: Instant | undefined;
}

export const certsRollback = defineOperation({
  name: 'certs.rollback',
  kind: 'write',
  method: 'POST',
  path: '/certificates/{id}/rollback',
  scope: 'operate',
  summary: 'Puts an earlier generation of a certificate back, everywhere where it is shown.',
  input: z.strictObject({
    id: certificateName.describe('Its id as "certs list" shows it, or a host name'),
    to: z.number().int().min(1).optional().describe('Which generation; the last one before, if not said'),
  }),
  run: async ({ id, to }, needs, caller): Promise<CertificateRolledBack> => {
    const lineage = await onlyOne(id, needs);
    const before = await doneBefore(lineage.id, needs, caller);
    if (before !== undefined) return before;
    const { requestedBy, idempotencyKey } = caller;
    const wish = { lineage: lineage.id, to, requestedBy, command: idempotencyKey };
    const { from, certificate, heldUntil } = await rollBack(wish, { ...needs, pki: { keyId: keyIdOf } });
    const { generation, serial, notAfter } = certificate;
    return { id: lineage.id, from, to: generation, serial, expiresAt: notAfter, heldUntil };
  },
});

/** The run of this command that was cut off did it: the one before what it put back is another one. */
async function doneBefore(
  id: LineageId,
  { events, certificates, renewals }: OperationNeeds,
  { isRepeat, idempotencyKey }: Caller,
): Promise<CertificateRolledBack | undefined> {
  if (isRepeat !== true || idempotencyKey === undefined) return undefined;
  const done = (await events.recent(lookedAt)).find(
    ({ type, lineage, facts }) =>
      type === 'certificate.rolledBack' && lineage === id && facts.command === idempotencyKey,
  );
  const [held, state] = await Promise.all([certificates.certificate(id), renewals.get(id)]);
  if (done === undefined || held === undefined) return undefined;
  const { generation, serial, notAfter } = held;
  const { heldUntil } = state;
  return { id, from: Number(done.facts.from), to: generation, serial, expiresAt: notAfter, heldUntil };
}
