import { createHash } from 'node:crypto';
import type { Certificate, Instant, LineageId, RenewalWindow } from '../types.ts';

const day = 86_400_000;

export interface RenewalRule {
  readonly lineage: LineageId;
  /** Longest lead before expiry. */
  readonly ceilingMs: number;
  /** Advice of the CA on this certificate. */
  readonly window?: RenewalWindow | undefined;
}

/**
 * When to renew: at the instant chosen from the CA's window. Without advice from the CA a third of the lifetime before
 * expiry, at most the ceiling; half of it when it lives under ten days. Spread over a tenth of the lead, by the lineage,
 * so that a fleet issued together does not renew together; never earlier than the rule, never at or after expiry.
 */
export function renewalPoint(
  certificate: Pick<Certificate, 'notBefore' | 'notAfter'>,
  rule: RenewalRule,
): Instant {
  if (rule.window !== undefined) return rule.window.chosenAt;
  const lead = renewalLead(certificate, rule.ceilingMs);
  return (
    certificate.notAfter - lead + Math.floor(fraction(`${rule.lineage} ${certificate.notAfter}`) * lead * 0.1)
  );
}

export function renewalLead(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  ceilingMs: number,
): number {
  const lifetime = notAfter - notBefore;
  return Math.min(ceilingMs, lifetime < 10 * day ? lifetime / 2 : lifetime / 3);
}

/** Past half of its renewal period a renewal does not wait for our own books any more. */
export function urgentFrom(
  certificate: Pick<Certificate, 'notBefore' | 'notAfter'>,
  ceilingMs: number,
): Instant {
  return certificate.notAfter - renewalLead(certificate, ceilingMs) / 2;
}

/** A stable number in [0, 1) for a text. */
function fraction(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32;
}
