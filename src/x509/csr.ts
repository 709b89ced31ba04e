import type { Secret } from '../core/secret.ts';
import { context, der, integer, oid, sequence, tag } from './der.ts';
import { keyTypeOfSpki, loadKey, publicKeyOf } from './key.ts';
import { subjectAltName } from './names.ts';
import { signDer } from './sign.ts';

const version = integer(Buffer.from([0]));
const extensionRequest = oid('1.2.840.113549.1.9.14');

/** PKCS #10 (RFC 2986) with an empty subject: CAs take the names from the SAN, and an IP address has no place in a CN. */
export function createCsr(names: readonly string[], privateKey: Secret<Uint8Array>): Buffer {
  const spkiDer = publicKeyOf(privateKey);
  const extensions = sequence(subjectAltName(names));
  const attributes = context(0, true, sequence(extensionRequest, der(tag.set, extensions)));
  const info = sequence(version, sequence(), spkiDer, attributes);
  return signDer(info, keyTypeOfSpki(spkiDer), loadKey(privateKey));
}
