import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { PemPair } from './pem-files.ts';

/** Of the leaf: SHA-256 of its DER, lower-case hex. Throws where the PEM is no certificate. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}

/** undefined: that is no certificate, or not with its key. */
export function pairFingerprint({ cert, key }: PemPair): string | undefined {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? fingerprintOf(cert) : undefined;
  } catch {
    return undefined;
  }
}
