import { believable } from '../backoff.ts';
import type { Certificate, Instant, Lineage, LineageId, RenewalState, Revoking } from '../types.ts';

const hour = 3_600_000;

/** When a revocation needs another look; undefined: something else brings it about, or there is none. */
export function revocationDueAt(
  { revoking = [] }: RenewalState,
  { lineage, certificate, now }: { lineage: Lineage; certificate: Certificate | undefined; now: Instant },
): Instant | undefined {
  const looks = revoking.flatMap((one) => {
    const isWaiting = isHeld(one, certificate) && one.atOnce !== true && lineage.unwantedSince === undefined;
    const at = believable(one.nextAt, now) ?? (isWaiting ? undefined : now);
    const late = one.toldAt === undefined ? lateAt(one) : undefined;
    return [at, late].filter((instant) => instant !== undefined);
  });
  return looks.length === 0 ? undefined : Math.min(...looks);
}

/** The certificate that is held is to be revoked: a new one is needed. */
export function isHeld(one: Pick<Revoking, 'fingerprint'>, certificate: Certificate | undefined): boolean {
  return certificate?.fingerprint === one.fingerprint;
}

/** Item of a task. */
export function revocationItem(lineage: LineageId, { generation }: Pick<Revoking, 'generation'>): string {
  return `${lineage}#${generation}`;
}

/** Until then everything has its time; after it people are told that it takes too long. */
export function lateAt({ reason, requestedAt }: Revoking): Instant {
  return requestedAt + (reason === 'keyCompromise' ? hour : 24 * hour);
}
