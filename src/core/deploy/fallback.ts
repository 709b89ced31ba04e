import type { Certificate, Instant } from '../types.ts';

const day = 86_400_000;

/**
 * So long a revoked certificate is still served while its successor is ordered: few browsers look at revocations, all
 * refuse a self-signed one.
 */
const yieldAfterMs = 10 * 60_000;

/** How long a self-signed certificate of ours lives, and how it backs up its start against slow clocks. */
export function fallbackValidity(now: Instant): { notBefore: Instant; notAfter: Instant } {
  return { notBefore: now - 3_600_000, notAfter: now + 90 * day };
}

export function fallbackRenewAt(fallback: Pick<Certificate, 'notBefore' | 'notAfter'>): Instant {
  return fallback.notAfter - (fallback.notAfter - fallback.notBefore) / 3;
}

/** When a certificate gives way to the fallback: at its expiry, or soon after its revocation. */
export function servedUntil(
  { notAfter }: Pick<Certificate, 'notAfter'>,
  revokedAt: Instant | undefined,
): Instant {
  return revokedAt === undefined ? notAfter : Math.min(notAfter, revokedAt + yieldAfterMs);
}

/**
 * What a target shows for a lineage: its certificate until that expires or is revoked (a failed renewal never replaces
 * it before), then the self-signed fallback. undefined: neither is there.
 */
export function served(held: {
  readonly certificate: Certificate | undefined;
  readonly fallback: Certificate | undefined;
  /** When the certificate was revoked. */
  readonly revokedAt?: Instant | undefined;
  readonly now: Instant;
}): Certificate | undefined {
  const { certificate, fallback, revokedAt, now } = held;
  if (certificate !== undefined && now < servedUntil(certificate, revokedAt)) return certificate;
  return fallback ?? certificate;
}
