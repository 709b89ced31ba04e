import { withBindings } from '../bindings/bind.ts';
import { clearLater } from '../deploy/clear.ts';
import { heldBy } from '../held-lineages.ts';
import { acquireInTime, lineageLock, wishesLock } from '../locks.ts';
import { fallbackId, keyClassOf } from '../policies.ts';
import type { Fence, Ports } from '../ports.ts';
import { untilUncontested } from '../records.ts';
import type { Certificate, Instant, Lineage, LineageId, NewEvent } from '../types.ts';

export type PurgeNeeds = Pick<
  Ports,
  | 'wishes'
  | 'certificates'
  | 'bindings'
  | 'renewals'
  | 'issuances'
  | 'deployments'
  | 'changes'
  | 'jobs'
  | 'locks'
  | 'clock'
  | 'log'
>;

/** Unwanted certificates are deleted so long after their expiry where the file does not say otherwise. */
const usualRetentionMs = 180 * 86_400_000;

const lockMs = 30_000;

/** What nobody asks for any more, with when it expired; without a certificate since when nobody asks. */
export interface Leftover {
  readonly lineage: Lineage;
  readonly expiredAt: Instant;
}

/** Leftovers that expired so long ago, oldest first. */
export async function leftovers(
  expiredForMs: number,
  { certificates, clock }: Pick<PurgeNeeds, 'certificates' | 'clock'>,
): Promise<readonly Leftover[]> {
  const lineages = (await certificates.lineages()).filter((one) => whyKept(one) === undefined);
  const currents = await certificates.currents(lineages.map(({ id }) => id));
  const last = clock.now() - expiredForMs;
  return lineages
    .map((lineage, index) => ({ lineage, expiredAt: endOf(lineage, currents[index]) }))
    .filter(({ expiredAt }) => expiredAt <= last)
    .toSorted((a, b) => a.expiredAt - b.expiredAt);
}

/** The chore: what was kept long enough goes. One that cannot go keeps no other; the first fault is thrown at the end. */
export async function purgeLeftovers(retentionMs: number | undefined, needs: PurgeNeeds): Promise<void> {
  const faults: unknown[] = [];
  for (const { lineage } of await leftovers(retentionMs ?? usualRetentionMs, needs)) {
    const facts = { lineage: lineage.id };
    try {
      const kept = await purge(lineage.id, undefined, needs);
      if (kept !== undefined) needs.log.info({ ...facts, kept }, 'an old certificate is kept');
    } catch (err) {
      needs.log.warn({ ...facts, err }, 'an old certificate could not be deleted');
      faults.push(err);
    }
  }
  if (faults.length > 0) throw faults[0];
}

/** Why a lineage cannot be deleted, in words; undefined: it can. */
export function whyKept({ source, unwantedSince }: Lineage): string | undefined {
  if (source === 'self-signed') return 'it is a self-signed stand-in, which goes with its certificate';
  if (source === 'upload') return 'it was uploaded';
  return unwantedSince === undefined ? 'a host, a group or a domain asks for it' : undefined;
}

/**
 * Deletes a lineage with all its generations and keys, and the stand-in of its names with the last of them; never one
 * that is wanted, at work or to be revoked. The targets that show it are cleared of it soon after. Resolves with why it
 * was kept; undefined: it is gone. May run twice.
 */
export async function purge(
  id: LineageId,
  requestedBy: string | undefined,
  needs: PurgeNeeds,
): Promise<string | undefined> {
  const seen = await needs.certificates.lineage(id);
  if (seen === undefined) return undefined;
  const { domain } = seen;
  // The host may come back at this moment; whoever is first is seen by the other.
  const wait = { name: wishesLock(domain), ttlMs: lockMs, waitMs: lockMs, busy: `a change of ${domain}` };
  const wishes = await acquireInTime(wait, needs);
  try {
    const work = await needs.locks.tryAcquire(lineageLock(id), lockMs);
    if (work === undefined) return 'it is being worked on';
    try {
      return await withBindings(needs, () => purgeHeld(id, { requestedBy, fence: wishes }, needs));
    } finally {
      await work.release();
    }
  } finally {
    await wishes.release();
  }
}

async function purgeHeld(
  id: LineageId,
  { requestedBy, fence }: { readonly requestedBy: string | undefined; readonly fence: Fence },
  needs: PurgeNeeds,
): Promise<string | undefined> {
  const [held, open, bound] = await Promise.all([
    heldBy(id, needs),
    needs.issuances.get(id),
    needs.bindings.of(id),
  ]);
  if (held === undefined) return undefined;
  const { lineage, certificate, state } = held;
  const kept = whyKept(lineage);
  if (kept !== undefined) return kept;
  if (bound.length > 0) return `it is bound to ${bound.map(({ name }) => name).join(', ')}`;
  if (state.revoking !== undefined) return 'it is still to be revoked';
  if (open !== undefined) return 'an order for it is under way';
  const [standIn, heir] = await Promise.all([lonelyStandIn(lineage, needs), heirOf(lineage, needs)]);
  const due = await untilUncontested(async () => {
    const deployments = await needs.deployments.of(id);
    const targets = (await needs.wishes.domain(lineage.domain))?.deploy ?? [];
    const leaving = heir ? {} : clearLater(lineage, { deployments, targets }, needs.clock.now());
    const events = [eventOf(lineage, certificate, requestedBy)];
    await needs.changes.commit({
      fence,
      removeLineages: [id, ...standIn],
      events,
      ...leaving,
      durable: true,
    });
    return leaving.due ?? [];
  });
  needs.log.info({ lineage: id, serial: certificate?.serial }, 'certificate deleted with its keys');
  await needs.jobs.wake(
    'deploy',
    due.map((one) => one.id),
  );
  return undefined;
}

/** An upload that has its place now: what lies there is not to be taken away. */
async function heirOf(
  { domain, label, wanted }: Lineage,
  { certificates }: PurgeNeeds,
): Promise<Lineage | undefined> {
  const kind = keyClassOf(wanted.keyType);
  const uploads = await certificates.uploads(domain);
  return uploads.find((one) => one.label === label && keyClassOf(one.wanted.keyType) === kind);
}

/** Both key classes of a policy have the same one. */
async function lonelyStandIn(
  { id, policy, domain }: Lineage,
  { certificates }: PurgeNeeds,
): Promise<readonly LineageId[]> {
  if (policy === undefined) return [];
  const others = await Promise.all(
    ['ec', 'rsa']
      .map((keyClass) => `${policy}/${keyClass}`)
      .filter((other) => other !== id)
      .map((other) => certificates.lineage(other)),
  );
  const isShared = others.some((other) => other?.domain === domain);
  return isShared ? [] : [fallbackId(policy)];
}

function eventOf(
  { id, domain, wanted }: Lineage,
  certificate: Certificate | undefined,
  requestedBy: string | undefined,
): NewEvent {
  const { serial, notAfter } = certificate ?? {};
  const facts = { serial, notAfter, names: wanted.names, requestedBy };
  return { type: 'certificate.purged', domain, lineage: id, facts };
}

function endOf({ unwantedSince = 0 }: Lineage, certificate: Certificate | undefined): Instant {
  return Math.max(certificate?.notAfter ?? 0, unwantedSince);
}
