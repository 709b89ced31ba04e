import { createHash, randomBytes } from 'node:crypto';
import type { CertificateFacts } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { Instant } from '../core/types.ts';
import { readCertificate } from './certificate.ts';
import { factsOf } from './chain.ts';
import { children, context, der, integer, oid, readDer, sequence, tag, time } from './der.ts';
import { keyTypeOfSpki, loadKey, publicKeyOf } from './key.ts';
import { extension, subjectAltName } from './names.ts';
import { signatureAlgorithm, signDer } from './sign.ts';

/** By this people and probes know a certificate of ours. */
export const selfSignedOrganization = 'acme-agent self-signed';

const version3 = context(0, true, integer(Buffer.from([2])));
const organization = oid('2.5.4.10');
const serverAuth = oid('1.3.6.1.5.5.7.3.1');

/** A certificate for exactly these names that no client trusts; for TLS servers until a CA has issued one. */
export function selfSigned(
  names: readonly string[],
  privateKey: Secret<Uint8Array>,
  validity: { readonly notBefore: Instant; readonly notAfter: Instant },
): CertificateFacts {
  return factsOf(readCertificate(signSelf(names, privateKey, { validity })), []);
}

/** DER of a self-signed certificate, with more extensions where wanted. */
export function signSelf(
  names: readonly string[],
  privateKey: Secret<Uint8Array>,
  {
    validity,
    more = [],
  }: {
    readonly validity: { readonly notBefore: Instant; readonly notAfter: Instant };
    readonly more?: readonly Buffer[] | undefined;
  },
): Buffer {
  const spkiDer = publicKeyOf(privateKey);
  const keyType = keyTypeOfSpki(spkiDer);
  const name = distinguishedName(selfSignedOrganization);
  const content = sequence(
    version3,
    integer(serialNumber()),
    signatureAlgorithm(keyType).identifier,
    name,
    sequence(time(validity.notBefore), time(validity.notAfter)),
    name,
    spkiDer,
    context(3, true, sequence(...extensions(names, spkiDer), ...more)),
  );
  return signDer(content, keyType, loadKey(privateKey));
}

function extensions(names: readonly string[], spkiDer: Buffer): readonly Buffer[] {
  const key = children(readDer(spkiDer))[1]?.body.subarray(1) ?? spkiDer;
  const keyId = createHash('sha1').update(key).digest();
  const digitalSignature = der(tag.bitString, Buffer.from([7, 0x80]));
  return [
    extension('2.5.29.15', digitalSignature, true),
    extension('2.5.29.37', sequence(serverAuth)),
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.14', der(tag.octetString, keyId)),
    subjectAltName(names),
  ];
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function distinguishedName(text: string): Buffer {
  const attribute = sequence(organization, der(tag.utf8String, Buffer.from(text, 'utf8')));
  return sequence(der(tag.set, attribute));
}
