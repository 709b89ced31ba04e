import { createPublicKey, type KeyObject } from 'node:crypto';

/** CAs that issue are few, and OpenSSL takes twice as long to decode a key as to verify with it. */
const mostKept = 32;
const kept = new Map<string, KeyObject>();

/** For verifying. Throws what OpenSSL says of bytes that are no SubjectPublicKeyInfo. */
export function publicKeyOfSpki(spkiDer: Buffer): KeyObject {
  const id = spkiDer.toString('latin1');
  const known = kept.get(id);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: spkiDer, format: 'der', type: 'spki' });
  if (kept.size >= mostKept) kept.clear();
  kept.set(id, key);
  return key;
}
