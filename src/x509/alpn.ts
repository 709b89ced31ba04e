import { createHash } from 'node:crypto';
import type { Secret } from '../core/secret.ts';
import type { Instant } from '../core/types.ts';
import { der, tag } from './der.ts';
import { generateKey } from './key.ts';
import { extension } from './names.ts';
import { signSelf } from './self-signed.ts';

/** RFC 8737 §6.1. */
const acmeIdentifier = '1.3.6.1.5.5.7.1.31';

/** The CA looks within seconds; the rest is for clocks that differ. */
const validityMs = 24 * 3_600_000;

export interface ChallengeCertificate {
  readonly certificateDer: Buffer;
  /** PKCS #8 DER; used for nothing else. */
  readonly privateKey: Secret<Uint8Array>;
}

/**
 * The answer to tls-alpn-01 (RFC 8737 §3, RFC 8738 §6): self-signed, for exactly the identifier (a DNS name or an IP
 * address), with the digest of the key authorization in a critical extension.
 */
export async function challengeCertificate(
  identifier: string,
  keyAuthorization: string,
  now: Instant,
): Promise<ChallengeCertificate> {
  const privateKey = await generateKey('p256');
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const certificateDer = signSelf([identifier], privateKey, {
    validity: { notBefore: now - validityMs, notAfter: now + validityMs },
    more: [extension(acmeIdentifier, der(tag.octetString, digest), true)],
  });
  return { certificateDer, privateKey };
}
