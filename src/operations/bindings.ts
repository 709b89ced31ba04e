import { z } from 'zod';
import { isEndpoint } from '../core/bindings/names.ts';
import { endOf } from '../core/precedence.ts';
import { freshRenewal } from '../core/records.ts';
import type { Binding, Certificate, Instant, LineageId, RenewalState } from '../core/types.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { certificateName } from './fields.ts';
import { findLineages } from './lineages.ts';

/** One line of `bindings`. */
export interface BindingRow {
  /** Server name, pattern, or endpoint. */
  readonly name: string;
  readonly kind: 'name' | 'endpoint';
  readonly certificates: readonly LineageId[];
  /** First name of the certificate. */
  readonly domain?: string | undefined;
  /** The earliest, where it is bound to one of each kind of key. */
  readonly expiresAt?: Instant | undefined;
  /** lapsed: what is bound is expired or revoked, and something else is shown. */
  readonly state: 'ok' | 'lapsed';
  readonly boundAt: Instant;
}

export interface BindingList {
  readonly asOf: Instant;
  readonly bindings: readonly BindingRow[];
}

export const bindingsList = defineOperation({
  name: 'bindings',
  kind: 'read',
  method: 'GET',
  path: '/bindings',
  scope: 'read',
  summary: 'Lists what is bound to server names and endpoints.',
  input: z.strictObject({
    certificate: certificateName.optional().describe('Only what is bound to this certificate'),
  }),
  run: async ({ certificate }, needs): Promise<BindingList> => {
    const bindings =
      certificate === undefined ? await needs.bindings.all() : await boundTo(certificate, needs);
    return { asOf: needs.clock.now(), bindings: await bindingRows(bindings, needs) };
  },
});

async function boundTo(certificate: string, needs: OperationNeeds): Promise<readonly Binding[]> {
  const lineages = await findLineages(certificate, needs);
  const found = await Promise.all(lineages.map(({ id }) => needs.bindings.of(id)));
  return [...new Map(found.flat().map((binding) => [binding.name, binding])).values()];
}

/** Of bindings with what is held of the certificates; some round trips for any number of them. */
export async function bindingRows(
  bindings: readonly Binding[],
  { certificates, renewals, clock }: Pick<OperationNeeds, 'certificates' | 'renewals' | 'clock'>,
): Promise<readonly BindingRow[]> {
  const ids = [...new Set(bindings.flatMap(({ lineages }) => lineages))];
  const [currents, states] = await Promise.all([certificates.currents(ids), renewals.many(ids)]);
  const held = new Map(
    ids.map((id, index) => [id, { certificate: currents[index], state: states[index] ?? freshRenewal(id) }]),
  );
  return bindings.map((binding) => {
    const bound = binding.lineages.flatMap((id) => held.get(id) ?? []);
    return toRow(binding, bound, clock.now());
  });
}

interface Bound {
  readonly certificate: Certificate | undefined;
  readonly state: RenewalState;
}

function toRow({ name, lineages, boundAt }: Binding, bound: readonly Bound[], now: Instant): BindingRow {
  const expiries = bound.flatMap(({ certificate }) => certificate?.notAfter ?? []);
  const isWell = bound.some(
    ({ certificate, state }) =>
      certificate !== undefined && state.revokedAt === undefined && now < endOf({ certificate }),
  );
  return {
    name,
    kind: isEndpoint(name) ? 'endpoint' : 'name',
    certificates: lineages,
    domain: bound[0]?.certificate?.names[0],
    expiresAt: expiries.length === 0 ? undefined : Math.min(...expiries),
    state: isWell ? 'ok' : 'lapsed',
    boundAt,
  };
}
