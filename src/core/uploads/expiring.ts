import type { Case } from '../renewal/decide.ts';
import { renewalLead } from '../renewal/renewal.ts';
import type { Certificate, Instant } from '../types.ts';

/**
 * From when on people are reminded that an upload wants a successor: the renewal point, without the spread that keeps
 * orders apart, so that the thirtieth reminder falls at the expiry.
 */
export function expiringFrom(
  certificate: Pick<Certificate, 'notBefore' | 'notAfter'>,
  ceilingMs: number,
): Instant {
  return certificate.notAfter - renewalLead(certificate, ceilingMs);
}

/** An upload that a person has to renew now. */
export function isExpiring({ lineage, certificate, state, now }: Case): boolean {
  return (
    lineage.source === 'upload' && certificate !== undefined && now >= (state.renewAt ?? certificate.notAfter)
  );
}
