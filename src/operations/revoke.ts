import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { barKey, planRevocation, putTarget, type Target } from '../core/revocation/revocation-plan.ts';
import { revocationItem } from '../core/revocation/revoking.ts';
import type { Bundle, Lineage, RevocationReason, Task } from '../core/types.ts';
import { keyIdOf } from '../x509/key.ts';
import { type Caller, defineOperation, type OperationNeeds, type TaskStarted } from './define.ts';
import { certificateName } from './fields.ts';
import { findLineages } from './lineages.ts';
import { commandEvent } from './renew.ts';
import { newTask, taskIdOf } from './requests.ts';
import { exact, listed } from './words.ts';

/** One generation that will be revoked. */
export interface RevokingRow {
  readonly lineage: string;
  readonly generation: number;
  readonly serial: string;
}

/** Answer of `revoke`: what was named, and what goes with it for it has the same key. */
export interface RevocationStarted extends TaskStarted {
  readonly revoking: readonly RevokingRow[];
}

const reasons = [
  'unspecified',
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
] as const satisfies readonly RevocationReason[];

export const revoke = defineOperation({
  name: 'revoke',
  kind: 'write',
  method: 'POST',
  path: '/certificates/{target}/revoke',
  scope: 'admin',
  summary:
    'Revokes a certificate; one that is in use first gets a successor, with a new key, at all its targets.',
  input: z.strictObject({
    target: certificateName.describe('Id of the certificate, or a host name'),
    reason: z
      .enum(reasons)
      .optional()
      .describe('Why; with keyCompromise all certificates with the same key go'),
    generation: z.number().int().min(1).optional().describe('Not the present one but this earlier one'),
    now: z
      .boolean()
      .optional()
      .describe('At once, without a successor; until there is one a self-signed certificate is served'),
  }),
  run: async (input, needs, caller): Promise<RevocationStarted> => {
    const { target, reason = 'unspecified', now = false } = input;
    const task = taskIdOf('revoke', caller);
    const known = await needs.tasks.get(task);
    if (known !== undefined && known.state !== 'running') return { taskId: task, revoking: rowsOf(known) };
    const lineage = await oneLineage(target, needs);
    const bundle = await heldBundle(lineage, input.generation, needs);
    if (known === undefined) await refuseIrrevocable(lineage, bundle, needs);
    const wish = { lineage, bundle, reason, atOnce: now, task, requestedBy: caller.requestedBy };
    const planNeeds = { ...needs, pki: { keyId: keyIdOf } };
    const plan = await planRevocation(wish, planNeeds);
    const targets = plan.targets.filter((one) => isOpen(known, one));
    if (known === undefined) await announce(targets, { task, reason, domain: lineage.domain }, needs, caller);
    await takeOver(targets, task, needs);
    for (const one of targets) await putTarget(one, planNeeds);
    for (const one of plan.barred) await barKey(one, planNeeds);
    await needs.jobs.wake('issue', [...new Set(targets.map((one) => one.lineage.id))]);
    return { taskId: task, revoking: targets.map(rowOf) };
  },
});

/** Of a task that a run of this command began before: what is left to do. */
function isOpen(known: Task | undefined, { lineage, entry }: Target): boolean {
  if (known === undefined) return true;
  const id = revocationItem(lineage.id, entry);
  return known.items.some((item) => item.id === id && item.state === 'waiting');
}

/** What is revoked cannot be taken back, so the name must mean one certificate, and that of its own name. */
async function oneLineage(target: string, needs: OperationNeeds): Promise<Lineage> {
  const found = await findLineages(target, needs);
  const [first] = found;
  const ids = found.map(({ id }) => id).join(', ');
  if (first === undefined || found.length > 1)
    throw new AgentError('command.invalid', `${target} has several certificates; name one of: ${ids}`);
  const { id, policy, wanted } = first;
  if (target !== id && target !== policy && !wanted.names.includes(target))
    throw new AgentError(
      'command.invalid',
      `${target} has no certificate of its own; to revoke the one that covers it too, name it: ${id}`,
    );
  return first;
}

async function heldBundle(
  lineage: Lineage,
  generation: number | undefined,
  needs: OperationNeeds,
): Promise<Bundle> {
  const { id, source, generations } = lineage;
  if (source === 'upload')
    throw new AgentError('command.conflict', `${id} was uploaded; have it revoked by the CA that issued it`);
  if (source === 'self-signed')
    throw new AgentError('command.conflict', `${id} is self-signed; there is no CA that could revoke it`);
  const bundle = await needs.certificates.bundle(id, generation);
  if (bundle !== undefined) return bundle;
  const held = generations.length === 0 ? 'none' : generations.join(', ');
  const what = generation === undefined ? 'certificate' : `generation ${generation}`;
  throw new AgentError('command.notFound', `${id} holds no ${what}; generations held: ${held}`);
}

async function refuseIrrevocable(
  { id, current }: Lineage,
  { certificate }: Bundle,
  { clock, settings, renewals }: OperationNeeds,
): Promise<void> {
  const { notAfter, issuer, serial, generation } = certificate;
  if (notAfter <= clock.now())
    throw new AgentError(
      'command.conflict',
      `${serial} expired at ${exact(notAfter)}; nobody accepts it any more`,
    );
  if (issuer === undefined || !settings().issuers.includes(issuer))
    throw new AgentError(
      'command.conflict',
      `${serial} was issued by "${issuer ?? 'a CA unknown here'}", which is not among the configured issuers: ${listed(settings().issuers)}`,
    );
  const { revokedAt } = await renewals.get(id);
  if (revokedAt !== undefined && generation === current)
    throw new AgentError('command.conflict', `${serial} is revoked since ${exact(revokedAt)}`);
}

async function announce(
  targets: readonly Target[],
  { task, reason, domain }: { readonly task: string; readonly reason: string; readonly domain: string },
  needs: OperationNeeds,
  caller: Caller,
): Promise<void> {
  const lineages = targets.map(({ lineage, entry }) => revocationItem(lineage.id, entry));
  const record = newTask({ id: task, operation: 'revoke', lineages }, caller, needs.clock.now());
  const event = commandEvent('revoke', { task, lineages, reason }, caller);
  await needs.changes.commit({ putTasks: [record], events: [{ ...event, domain }] });
}

/** Whoever asked for the same before gets an answer: this command asks now. */
async function takeOver(targets: readonly Target[], by: string, needs: OperationNeeds): Promise<void> {
  for (const { lineage, entry } of targets) {
    const { revoking = [] } = await needs.renewals.get(lineage.id);
    const before = revoking.find(({ fingerprint }) => fingerprint === entry.fingerprint);
    if (before?.task === undefined || before.task === by) continue;
    const id = revocationItem(lineage.id, entry);
    await needs.tasks.settle(before.task, { id, state: 'skipped', note: `taken over by ${by}` });
  }
}

function rowOf({ lineage, entry }: Target): RevokingRow {
  return { lineage: lineage.id, generation: entry.generation, serial: entry.serial };
}

function rowsOf({ items }: Task): readonly RevokingRow[] {
  return items.map(({ id, note = '' }) => {
    const hash = id.lastIndexOf('#');
    return { lineage: id.slice(0, hash), generation: Number(id.slice(hash + 1)), serial: note };
  });
}
