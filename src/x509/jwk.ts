import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

/** Members in the order of RFC 7638, as thumbprints need them. */
export function publicJwk(key: KeyObject): object {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  return Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** RFC 7638, base64url: the public name of a key. */
export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url');
}
