import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Instant } from '../../src/core/types.ts';
import {
  children,
  context,
  der,
  integer,
  oid,
  readDer,
  readOid,
  sequence,
  tag,
  time,
} from '../../src/x509/der.ts';
import { extension, readNames, subjectAltName } from '../../src/x509/names.ts';
import { writePem } from '../../src/x509/pem.ts';
import { signatureAlgorithm, signDer } from '../../src/x509/sign.ts';

/** Signs as a CA does: leaf and intermediate as PEM, for the key and the names of a request. */
export interface CaSigner {
  issue(csrDer: Uint8Array, validity: Validity): string;
}

interface Validity {
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

const extensionRequest = '1.2.840.113549.1.9.14';
const sanOid = '2.5.29.17';

export function createCaSigner(name: string, validity: Validity): CaSigner {
  const root = newKey();
  const own = newKey();
  const keyId = randomBytes(20);
  const intermediate = certificate({
    issuer: `${name} root`,
    subject: `${name} intermediate`,
    spkiDer: createPublicKey(own).export({ type: 'spki', format: 'der' }),
    validity,
    signer: root,
    extensions: [extension('2.5.29.19', sequence(der(tag.boolean, Buffer.from([0xff]))), true)],
  });

  function issue(csrDer: Uint8Array, dates: Validity): string {
    const { spkiDer, names } = readRequest(csrDer);
    const leaf = certificate({
      issuer: `${name} intermediate`,
      spkiDer,
      validity: dates,
      signer: own,
      extensions: [
        subjectAltName(names),
        extension('2.5.29.35', sequence(der(0x80, keyId))),
        extension('2.5.29.19', sequence(), true),
      ],
    });
    return writePem(leaf) + writePem(intermediate);
  }

  return { issue };
}

/** Names and key of a PKCS #10 request. */
export function readRequest(csrDer: Uint8Array): { spkiDer: Buffer; names: readonly string[] } {
  const [info] = children(readDer(csrDer));
  const [, , spki, attributes] = info === undefined ? [] : children(info);
  if (spki === undefined || attributes === undefined) throw new RangeError('not a certificate request');
  const names = children(attributes).flatMap((attribute) => {
    const [type, values] = children(attribute);
    if (type === undefined || values === undefined || readOid(type.body) !== extensionRequest) return [];
    return children(values)
      .flatMap(children)
      .flatMap((one) => {
        const [id, value] = children(one);
        const isSan = id !== undefined && value !== undefined && readOid(id.body) === sanOid;
        return isSan ? readNames(readDer(value.body)) : [];
      });
  });
  return { spkiDer: spki.whole, names };
}

interface Content {
  readonly issuer: string;
  readonly subject?: string;
  readonly spkiDer: Buffer;
  readonly validity: Validity;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificate({ issuer, subject, spkiDer, validity, signer, extensions }: Content): Buffer {
  const content = sequence(
    context(0, true, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    signatureAlgorithm('p256').identifier,
    distinguishedName(issuer),
    sequence(time(validity.notBefore), time(validity.notAfter)),
    subject === undefined ? sequence() : distinguishedName(subject),
    spkiDer,
    context(3, true, sequence(...extensions)),
  );
  return signDer(content, 'p256', signer);
}

function distinguishedName(text: string): Buffer {
  const attribute = sequence(oid('2.5.4.3'), der(tag.utf8String, Buffer.from(text)));
  return sequence(der(tag.set, attribute));
}

function newKey(): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}
