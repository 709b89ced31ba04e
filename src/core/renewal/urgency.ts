import { isHeld } from '../revocation/revoking.ts';
import type { Instant } from '../types.ts';
import type { Held } from './held.ts';
import { urgentFrom } from './renewal.ts';

/**
 * From when the renewal of what is held does not wait for our own books any more; of a certificate that is revoked, or is
 * to be, it never does. undefined: nothing is held.
 */
export function urgentAt(
  { certificate, state: { revokedAt, revoking } }: Pick<Held, 'certificate' | 'state'>,
  ceilingMs: number,
): Instant | undefined {
  if (certificate === undefined) return undefined;
  const isDoomed = revokedAt !== undefined || revoking?.some((one) => isHeld(one, certificate)) === true;
  return isDoomed ? certificate.notBefore : urgentFrom(certificate, ceilingMs);
}
