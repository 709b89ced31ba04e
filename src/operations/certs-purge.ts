import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { heldOf } from '../core/held-lineages.ts';
import type { Instant, Lineage } from '../core/types.ts';
import { leftovers, purge, whyKept } from '../core/wishes/purge.ts';
import { type Caller, defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, duration, durationMs } from './fields.ts';

/** A certificate that was deleted, or would be. */
export interface PurgedRow {
  readonly id: string;
  readonly expiresAt?: Instant | undefined;
}

export interface Purged {
  readonly asOf: Instant;
  /** Nothing was changed. */
  readonly dryRun: boolean;
  readonly purged: readonly PurgedRow[];
  readonly kept: readonly { readonly id: string; readonly reason: string }[];
}

export const certsPurge = defineOperation({
  name: 'certs.purge',
  kind: 'write',
  method: 'POST',
  path: '/certificates/purge',
  scope: 'admin',
  summary: 'Deletes certificates that nobody asks for any more, with their keys; one that is in use stays.',
  input: z.strictObject({
    ids: z
      .array(certificateName)
      .max(1000)
      .optional()
      .describe('Ids of certificates')
      .meta({ positional: true }),
    expiredFor: duration
      .optional()
      .describe('All that nobody asks for and that expired so long ago, like 90d'),
    dryRun: z.boolean().optional().describe('Only say what would be deleted'),
  }),
  run: async ({ ids = [], expiredFor, dryRun = false }, needs, caller): Promise<Purged> => {
    if (ids.length === 0 && expiredFor === undefined)
      throw new AgentError(
        'command.invalid',
        'expiredFor: say how long they must have been expired, such as 90d, or name the certificates',
      );
    const named = await Promise.all([...new Set(ids)].map((id) => known(id, needs)));
    const old = expiredFor === undefined ? [] : await leftovers(durationMs(expiredFor), needs);
    const isNamed = new Set(named.map(({ id }) => id));
    const others = old.map(({ lineage }) => lineage).filter(({ id }) => !isNamed.has(id));
    return purgeAll([...named, ...others], { dryRun, caller }, needs);
  },
});

async function known(id: string, { certificates }: OperationNeeds): Promise<Lineage> {
  const lineage = await certificates.lineage(id);
  if (lineage !== undefined) return lineage;
  throw new AgentError('command.notFound', `there is no certificate ${id}; "certs list" shows the ids`);
}

async function purgeAll(
  lineages: readonly Lineage[],
  { dryRun, caller }: { readonly dryRun: boolean; readonly caller: Caller },
  needs: OperationNeeds,
): Promise<Purged> {
  const purged: PurgedRow[] = [];
  const kept: { id: string; reason: string }[] = [];
  for (const { lineage, certificate } of await heldOf(lineages, needs)) {
    const { id } = lineage;
    const reason = dryRun ? whyKept(lineage) : await purge(id, caller.requestedBy, needs);
    if (reason === undefined) purged.push({ id, expiresAt: certificate?.notAfter });
    else kept.push({ id, reason });
  }
  return { asOf: needs.clock.now(), dryRun, purged, kept };
}
