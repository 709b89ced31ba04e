import type { Certificate, Instant } from '../types.ts';

const day = 86_400_000;

/** How long a self-signed certificate of ours lives, and how it backs up its start against slow clocks. */
export function fallbackValidity(now: Instant): { notBefore: Instant; notAfter: Instant } {
  return { notBefore: now - 3_600_000, notAfter: now + 90 * day };
}

export function fallbackRenewAt(fallback: Pick<Certificate, 'notBefore' | 'notAfter'>): Instant {
  return fallback.notAfter - (fallback.notAfter - fallback.notBefore) / 3;
}
