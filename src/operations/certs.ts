import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { heldOf } from '../core/held-lineages.ts';
import type { Certificate, Instant, Lineage, RenewalState } from '../core/types.ts';
import { type CertificateRow, type CertificateState, overview, stateOf } from './certificates.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, domainName } from './fields.ts';
import { findLineages } from './lineages.ts';
import { refuseUnknown } from './refusals.ts';
import { generationsOf, placingOf, type Shown, shownOf } from './targets.ts';

export interface CertificateList {
  /** When this was read. */
  readonly asOf: Instant;
  readonly certificates: readonly CertificateRow[];
}

export const certsList = defineOperation({
  name: 'certs.list',
  kind: 'read',
  method: 'GET',
  path: '/certificates',
  scope: 'read',
  summary: 'Lists the certificates with their state and expiry.',
  input: z.strictObject({
    domain: domainName.optional().describe('Only certificates of this domain'),
    all: z.boolean().optional().describe('Also self-signed stand-ins that are not served at the moment'),
  }),
  run: async ({ domain, all }, needs): Promise<CertificateList> => {
    const certificates = await overview(domain, needs, all);
    // One that was removed has certificates still.
    if (certificates.length === 0) await refuseUnknown(domain, needs);
    return { asOf: needs.clock.now(), certificates };
  },
});

export interface CertificateShown extends Shown {
  readonly asOf: Instant;
  readonly state: CertificateState;
  readonly lineage: Lineage;
  readonly certificate?: Certificate | undefined;
  /** Facts of all generations held, newest first. */
  readonly generations: readonly Certificate[];
  readonly renewal: RenewalState;
  /** When the next order or look is due. */
  readonly nextAt?: Instant | undefined;
  /** The order under way. */
  readonly order?:
    | {
        readonly issuer: string;
        readonly startedAt: Instant;
        readonly url?: string | undefined;
      }
    | undefined;
}

export const certsShow = defineOperation({
  name: 'certs.show',
  kind: 'read',
  method: 'GET',
  path: '/certificates/{id}',
  scope: 'read',
  summary: 'Shows one certificate: its facts, generations, renewal and deployments.',
  input: z.strictObject({ id: certificateName.describe('Its id as "certs list" shows it, or a host name') }),
  run: async ({ id }, needs): Promise<CertificateShown> => {
    const lineage = await onlyOne(id, needs);
    const [one] = await heldOf([lineage], needs);
    if (one === undefined) throw new AgentError('bug', `${lineage.id} vanished while it was read`);
    const [shown, issuance, nextAt, generations] = await Promise.all([
      shownOf(one, needs),
      needs.issuances.get(lineage.id),
      needs.due.at('issue', lineage.id),
      generationsOf(lineage, needs),
    ]);
    const asOf = needs.clock.now();
    const placing = placingOf(one.certificate, shown.targets);
    return {
      asOf,
      state: stateOf(one, { isOrdering: issuance !== undefined, placing, now: asOf }),
      lineage,
      certificate: one.certificate,
      generations,
      renewal: one.state,
      nextAt,
      order:
        issuance === undefined
          ? undefined
          : { issuer: issuance.issuer, startedAt: issuance.startedAt, url: issuance.orderUrl },
      ...shown,
    };
  },
});

async function onlyOne(id: string, needs: OperationNeeds): Promise<Lineage> {
  const [first, ...others] = await findLineages(id, needs);
  if (first !== undefined && others.length === 0) return first;
  const ids = [first, ...others].map((lineage) => lineage?.id).join(', ');
  throw new AgentError('command.invalid', `${id} has several certificates; name one of: ${ids}`);
}
