import { z } from 'zod';
import { rebind, withBindings } from '../core/bindings/bind.ts';
import { bindingRefusal, isBoundWell, parseBindingName, reachOf } from '../core/bindings/names.ts';
import { AgentError } from '../core/errors.ts';
import { type HeldLineage, heldOf } from '../core/held-lineages.ts';
import { keyClassOf } from '../core/policies.ts';
import type { Binding, Lineage } from '../core/types.ts';
import { type BindingRow, bindingRows } from './bindings.ts';
import { defineOperation, type OperationNeeds } from './define.ts';
import { certificateName, shown } from './fields.ts';
import { findLineages } from './lineages.ts';
import { exact, listed } from './words.ts';

/** A server name, a pattern of them, or an endpoint. */
const bindingName = z
  .string()
  .max(1024)
  .refine((text) => bindingRefusal(text) === undefined, {
    error: ({ input }) => `"${shown(input)}" cannot be bound: ${bindingRefusal(String(input))}`,
  })
  .transform(parseBindingName);

export interface Bound {
  readonly binding: BindingRow;
  /** What was bound there before. */
  readonly replaced?: readonly string[] | undefined;
}

export const bind = defineOperation({
  name: 'bind',
  kind: 'write',
  method: 'PUT',
  path: '/bindings/{name}',
  scope: 'operate',
  summary:
    'Binds a certificate to a server name, a pattern (*.example.com, shop.*, *) or an endpoint (web:443).',
  input: z.strictObject({
    name: bindingName.describe('Server name, pattern, or endpoint as service:port'),
    certificates: z
      .array(certificateName)
      .min(1)
      .max(2)
      .describe('Ids of certificates; two where one has an elliptic and one an RSA key'),
    replace: z.boolean().optional().describe('In place of what is bound there'),
    force: z.boolean().optional().describe('Also what clients will not accept for the name'),
  }),
  run: async ({ name, certificates, replace = false, force = false }, needs, caller): Promise<Bound> =>
    withBindings(needs, async (fence) => {
      const held = await heldOf(await meant(certificates, needs), needs);
      for (const one of held) refuseUnusable(one, needs);
      if (!force) for (const one of held) refuseUnfit(name, one);
      refuseSameKind(held);
      const lineages = held.map(({ lineage }) => lineage.id).toSorted();
      const before = await needs.bindings.get(name);
      if (before !== undefined && String(before.lineages) === String(lineages))
        return { binding: await rowOf(before, needs) };
      if (before !== undefined && !replace)
        throw new AgentError(
          'command.conflict',
          `${name} is bound to ${before.lineages.join(' and ')} already; unbind it first, or use replace`,
        );
      const binding: Binding = { name, lineages, boundAt: needs.clock.now() };
      const remove = before === undefined ? [] : [before];
      const { requestedBy } = caller;
      await rebind({ put: [binding], remove, domainOf: domainsIn(held), requestedBy }, fence, needs);
      return { binding: await rowOf(binding, needs), replaced: before?.lineages };
    }),
});

export const unbind = defineOperation({
  name: 'unbind',
  kind: 'write',
  method: 'DELETE',
  path: '/bindings',
  scope: 'operate',
  summary: 'Takes bindings away; the names are shown what is held for them, and the certificates stay.',
  input: z.strictObject({
    names: z.array(bindingName).min(1).max(1000).describe('Server names, patterns or endpoints'),
  }),
  run: async ({ names }, needs, caller): Promise<{ readonly unbound: readonly string[] }> =>
    withBindings(needs, async (fence) => {
      const wanted = [...new Set(names)];
      const found = await needs.bindings.among(wanted);
      const missing = wanted.filter((name) => !found.some((one) => one.name === name));
      if (missing.length > 0 && caller.isRepeat !== true)
        throw new AgentError('command.notFound', `nothing is bound to ${listed(missing)}; see "bindings"`);
      const lineages = await Promise.all(
        found.flatMap((one) => one.lineages).map((id) => needs.certificates.lineage(id)),
      );
      const held = lineages.flatMap((lineage) => (lineage === undefined ? [] : [{ lineage }]));
      const { requestedBy } = caller;
      if (found.length > 0)
        await rebind({ put: [], remove: found, domainOf: domainsIn(held), requestedBy }, fence, needs);
      return { unbound: wanted };
    }),
});

/** A name that has one certificate of each kind of key means both. */
async function meant(ids: readonly string[], needs: OperationNeeds): Promise<readonly Lineage[]> {
  const found = new Map<string, Lineage>();
  for (const id of ids) {
    const lineages = await findLineages(id, needs);
    for (const lineage of lineages) found.set(lineage.id, lineage);
  }
  return [...found.values()];
}

function refuseUnusable({ lineage, certificate, state }: HeldLineage, { clock }: OperationNeeds): void {
  const { id, source } = lineage;
  const refuse = (why: string) => new AgentError('command.conflict', `${id} ${why}`);
  if (source === 'self-signed') throw refuse('is a self-signed stand-in; bind the certificate itself');
  if (certificate === undefined) throw refuse('has no certificate yet: its first order is pending');
  if (certificate.notAfter <= clock.now()) throw refuse(`expired at ${exact(certificate.notAfter)}`);
  if (state.revokedAt !== undefined) throw refuse('is revoked');
}

function refuseUnfit(name: string, { lineage, certificate }: HeldLineage): void {
  const { id, unwantedSince } = lineage;
  if (unwantedSince !== undefined)
    throw new AgentError(
      'command.conflict',
      `nobody has asked for ${id} since ${exact(unwantedSince)}, so it is not renewed: add its host again, or use force`,
    );
  const names = certificate?.names ?? [];
  if (isBoundWell(name, names)) return;
  const reach = reachOf(name);
  throw new AgentError(
    'command.conflict',
    reach === undefined
      ? `clients do not accept ${id} for ${name}: it is for ${listed(names)}; use force if that is meant`
      : `${name} takes ${reach}, and ${id} is for ${listed(names)}; use force if that is meant`,
  );
}

function refuseSameKind(held: readonly HeldLineage[]): void {
  const kinds = held.map(({ lineage }) => keyClassOf(lineage.wanted.keyType));
  if (new Set(kinds).size === kinds.length) return;
  const ids = held.map(({ lineage }) => lineage.id);
  throw new AgentError(
    'command.invalid',
    `one certificate of each kind of key can be bound to a name, but these are of one kind: ${listed(ids)}`,
  );
}

function domainsIn(held: readonly { readonly lineage: Lineage }[]): (id: string) => string | undefined {
  return (id) => held.find(({ lineage }) => lineage.id === id)?.lineage.domain;
}

async function rowOf(binding: Binding, needs: OperationNeeds): Promise<BindingRow> {
  const [row] = await bindingRows([binding], needs);
  if (row === undefined) throw new AgentError('bug', `${binding.name} vanished while it was read`);
  return row;
}
