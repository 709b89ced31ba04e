import { placesCovered, placesElsewhere } from '../deploy/affected.ts';
import { AgentError } from '../errors.ts';
import { acquireInTime, lineageLock } from '../locks.ts';
import type { Fence, Ports } from '../ports.ts';
import { deployAt, editRenewal } from '../records.ts';
import { isHeld } from '../revocation/revoking.ts';
import type { Bundle, Certificate, Instant, Lineage, LineageId, RenewalState, Settings } from '../types.ts';
import { heldState } from '../uploads/upload.ts';
import { acquired } from './acquired.ts';
import { dueOfLineage } from './next-action.ts';

export type RollbackNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'bindings' | 'renewals' | 'changes' | 'jobs' | 'locks' | 'clock' | 'log'
> & {
  readonly pki: Pick<Ports['pki'], 'keyId'>;
  readonly settings: () => Settings;
};

export interface Rollback {
  readonly lineage: LineageId;
  /** Absent: the last one before the present one. */
  readonly to?: number | undefined;
  readonly requestedBy?: string | undefined;
  /** Idempotency key of the command, for the trail. */
  readonly command?: string | undefined;
}

export interface RolledBack {
  readonly from: number;
  readonly certificate: Certificate;
  /** So long it is not renewed only because that is due. Absent: nobody renews it but a person. */
  readonly heldUntil?: Instant | undefined;
}

const lockMs = 15_000;
const waitMs = 60_000;

/**
 * Puts an earlier generation back: it is deployed everywhere like a new one. One that we order for is left alone for half
 * of its remaining validity, since its own renewal point is mostly past. Throws `command.conflict` or `command.notFound`.
 */
export async function rollBack(wish: Rollback, needs: RollbackNeeds): Promise<RolledBack> {
  const { lineage: id } = wish;
  const wait = { name: lineageLock(id), ttlMs: lockMs, waitMs, busy: `an order for ${id}` };
  const lock = await acquireInTime(wait, needs);
  try {
    const lineage = await needs.certificates.lineage(id);
    if (lineage === undefined) throw new AgentError('command.notFound', `there is no certificate ${id}`);
    return await rollBackHeld(lineage, wish, lock, needs);
  } finally {
    await lock.release();
  }
}

async function rollBackHeld(
  lineage: Lineage,
  { to, requestedBy, command }: Rollback,
  fence: Fence,
  needs: RollbackNeeds,
): Promise<RolledBack> {
  const { id, current: from = 0 } = lineage;
  const generation = earlier(lineage, to);
  const bundle = await needs.certificates.bundle(id, generation);
  if (bundle === undefined)
    throw new AgentError('bug', `generation ${generation} of ${id} is not in the store`);
  const { certificate } = bundle;
  const due = await placesOf(lineage, certificate, needs);
  let heldUntil: Instant | undefined;
  await editRenewal(id, needs, (before) => {
    const now = needs.clock.now();
    refuseUnusable(bundle, before, needs);
    const state = stateAfter(before, { lineage, certificate, now }, needs);
    heldUntil = state.heldUntil;
    const { serial, notAfter, names } = certificate;
    const facts = { from, generation, serial, notAfter, names, requestedBy, command };
    return {
      fence,
      point: { lineage: id, generation },
      putRenewals: [state],
      due: [...dueOfLineage({ lineage, certificate, state, now }), ...due],
      events: [{ type: 'certificate.rolledBack', domain: lineage.domain, lineage: id, facts }],
      durable: true,
    };
  });
  needs.log.info({ lineage: id, from, generation, serial: certificate.serial }, 'certificate rolled back');
  await needs.jobs.wake('deploy', [...new Set(due.map((one) => one.id))]);
  return { from, certificate, heldUntil };
}

function earlier({ id, source, current, generations }: Lineage, to: number | undefined): number {
  if (source === 'self-signed')
    throw new AgentError(
      'command.conflict',
      `${id} is a self-signed stand-in; there is nothing to roll back`,
    );
  const held = generations.length === 0 ? 'none' : generations.join(', ');
  const generation = to ?? generations.filter((number) => number < (current ?? 0)).at(-1);
  if (generation === undefined)
    throw new AgentError('command.conflict', `${id} holds no earlier generation; generations held: ${held}`);
  if (generation === current)
    throw new AgentError('command.conflict', `generation ${generation} is the present one of ${id}`);
  if (generations.includes(generation)) return generation;
  throw new AgentError(
    'command.notFound',
    `${id} holds no generation ${generation}; generations held: ${held}`,
  );
}

function refuseUnusable(
  { certificate, privateKey }: Bundle,
  { revoked = [], revoking = [], compromised = [] }: RenewalState,
  { clock, pki }: RollbackNeeds,
): void {
  const { lineage, generation, notAfter, fingerprint } = certificate;
  const which = `generation ${generation} of ${lineage}`;
  const refuse = (why: string) => new AgentError('command.conflict', `${which} ${why}`);
  if (notAfter <= clock.now()) throw refuse(`expired at ${new Date(notAfter).toISOString()}`);
  if (revoked.includes(fingerprint)) throw refuse('is revoked');
  if (revoking.some((one) => isHeld(one, certificate))) throw refuse('is to be revoked');
  if (compromised.length > 0 && compromised.includes(pki.keyId(privateKey)))
    throw refuse('has a key that somebody else has too');
}

function stateAfter(
  before: RenewalState,
  { lineage, certificate, now }: { lineage: Lineage; certificate: Certificate; now: Instant },
  needs: RollbackNeeds,
): RenewalState {
  if (lineage.source === 'upload') return heldState(before, certificate, needs.settings());
  const state = acquired(before, { lineage, certificate, requested: before.requested, now }, needs);
  return { ...state, heldUntil: now + Math.floor((certificate.notAfter - now) / 2) };
}

async function placesOf(
  lineage: Lineage,
  certificate: Certificate,
  needs: RollbackNeeds,
): Promise<ReturnType<typeof deployAt>> {
  const now = needs.clock.now();
  const [domain, present, elsewhere] = await Promise.all([
    needs.wishes.domain(lineage.domain),
    needs.certificates.certificate(lineage.id),
    placesElsewhere(lineage, now, needs),
  ]);
  const names = [...new Set([...certificate.names, ...(present?.names ?? [])])];
  const isUpload = lineage.source === 'upload';
  const covered = isUpload ? await placesCovered({ domain: lineage.domain, names, now }, needs) : [];
  return [...deployAt(domain?.deploy ?? [], lineage.id, now), ...covered, ...elsewhere];
}
