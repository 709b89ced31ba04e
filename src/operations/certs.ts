import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { heldOf } from '../core/held-lineages.ts';
import type { Certificate, Instant, Lineage, RenewalState } from '../core/types.ts';
import {
  type CertificateRow,
  type CertificateState,
  certificateStates,
  overview,
  stateOf,
} from './certificates.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, domainName } from './fields.ts';
import { findLineages } from './lineages.ts';
import { refuseUnknown } from './refusals.ts';
import { generationsOf, placingOf, type Shown, shownOf } from './targets.ts';

export interface CertificateList {
  /** When this was read. */
  readonly asOf: Instant;
  readonly certificates: readonly CertificateRow[];
  /** One line a name was asked for. */
  readonly names?: boolean | undefined;
  /** There are more after the last one. */
  readonly hasMore?: boolean | undefined;
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
    states: z
      .array(z.enum(certificateStates))
      .min(1)
      .optional()
      .describe('Only those in one of these states'),
    names: z.boolean().optional().describe('One line a name, with its expiry in UTC'),
    after: z.string().max(1024).optional().describe('Only those whose ids come after this one'),
    limit: z.number().int().min(1).max(10_000).optional().describe('So many at most'),
  }),
  run: async ({ domain, all, states, names, after = '', limit }, needs): Promise<CertificateList> => {
    const certificates = await overview(domain, needs, all);
    // One that was removed has certificates still.
    if (certificates.length === 0) await refuseUnknown(domain, needs);
    const meant = certificates.filter(({ state }) => states === undefined || states.includes(state));
    const later = meant.filter(({ id }) => id > after);
    const shown = limit === undefined ? later : later.slice(0, limit);
    return {
      asOf: needs.clock.now(),
      certificates: shown,
      names,
      hasMore: shown.length < later.length || undefined,
    };
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
  /** Server names and endpoints that it is bound to. */
  readonly bindings: readonly string[];
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
    const [shown, issuance, nextAt, generations, bindings] = await Promise.all([
      shownOf(one, needs),
      needs.issuances.get(lineage.id),
      needs.due.at('issue', lineage.id),
      generationsOf(lineage, needs),
      needs.bindings.of(lineage.id),
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
      bindings: bindings.map(({ name }) => name),
      nextAt,
      order:
        issuance === undefined
          ? undefined
          : { issuer: issuance.issuer, startedAt: issuance.startedAt, url: issuance.orderUrl },
      ...shown,
    };
  },
});

/** The lineage that a person means; throws `command.invalid` where the name has several. */
export async function onlyOne(id: string, needs: OperationNeeds): Promise<Lineage> {
  const [first, ...others] = await findLineages(id, needs);
  if (first !== undefined && others.length === 0) return first;
  const ids = [first, ...others].map((lineage) => lineage?.id).join(', ');
  throw new AgentError('command.invalid', `${id} has several certificates; name one of: ${ids}`);
}
