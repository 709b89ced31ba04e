import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { secret } from '../../src/core/secret.ts';
import { bitString, context, der, integer, oid, sequence, tag, time } from '../../src/x509/der.ts';
import { extension, subjectAltName } from '../../src/x509/names.ts';
import { writePem } from '../../src/x509/pem.ts';

/** A certificate made without any CA, well or ill formed, with its key. */
export interface Forged {
  readonly name: string;
  readonly key: KeyObject;
  readonly der: Buffer;
  readonly pem: string;
}

export interface ForgeOptions {
  readonly subject: string;
  /** Absent: it signs itself. */
  readonly issuer?: { readonly name: string | Buffer; readonly key: KeyObject } | undefined;
  /** Absent: a new one of P-256. */
  readonly key?: KeyObject | undefined;
  readonly names?: readonly string[] | undefined;
  readonly isCa?: boolean | undefined;
  readonly notBefore?: number | undefined;
  readonly notAfter?: number | undefined;
  /** Of the signature. */
  readonly hash?: 'sha256' | 'sha1' | 'md5' | undefined;
  readonly extensions?: readonly Buffer[] | undefined;
}

export const forgedAt = Date.UTC(2026, 10, 20, 12);
const day = 86_400_000;

const algorithms: Readonly<Record<string, string>> = {
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha1': '1.2.840.10045.4.1',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa md5': '1.2.840.113549.1.1.4',
};

export function forge(options: ForgeOptions): Forged {
  const { subject, isCa = false, hash = 'sha256', names = [], extensions = [] } = options;
  const key = options.key ?? newKey();
  const signer = options.issuer ?? { name: subject, key };
  const algorithm = algorithms[`${signer.key.asymmetricKeyType} ${hash}`] ?? '1.3.101.112';
  const identifier = sequence(oid(algorithm), ...(algorithm.includes('113549') ? [der(0x05)] : []));
  const spki = publicDer(key);
  const constraints = isCa ? [der(tag.boolean, Buffer.from([0xff]))] : [];
  const content = sequence(
    context(0, true, integer(Buffer.from([2]))),
    integer(randomBytes(12)),
    identifier,
    distinguishedName(signer.name),
    sequence(time(options.notBefore ?? forgedAt - day), time(options.notAfter ?? forgedAt + 90 * day)),
    distinguishedName(subject),
    spki,
    context(
      3,
      true,
      sequence(
        extension('2.5.29.19', sequence(...constraints), true),
        extension('2.5.29.14', der(tag.octetString, createHash('sha1').update(spki).digest())),
        ...(names.length === 0 ? [] : [subjectAltName(names)]),
        ...extensions,
      ),
    ),
  );
  const isPure = signer.key.asymmetricKeyType === 'ed25519';
  const signature = sign(isPure ? null : hash, content, signer.key);
  const whole = sequence(content, identifier, bitString(signature));
  return { name: subject, key, der: whole, pem: writePem(whole) };
}

/** `issuerUrl`: where its CA publishes its own certificate. */
export function issuerAt(issuerUrl: string): Buffer {
  const place = sequence(oid('1.3.6.1.5.5.7.48.2'), context(6, false, Buffer.from(issuerUrl)));
  return extension('1.3.6.1.5.5.7.1.1', sequence(place));
}

export function keyUse(...purposes: readonly string[]): Buffer {
  return extension('2.5.29.37', sequence(...purposes.map((purpose) => oid(purpose))));
}

export function newKey(namedCurve = 'P-256'): KeyObject {
  return registered(generateKeyPairSync('ec', { namedCurve }).privateKey);
}

const rsaKeys = new Map<number, KeyObject>();

/** One of each size: they take long to make. */
export function rsaKey(modulusLength: number): KeyObject {
  const known =
    rsaKeys.get(modulusLength) ?? registered(generateKeyPairSync('rsa', { modulusLength }).privateKey);
  rsaKeys.set(modulusLength, known);
  return known;
}

export function keyDer(key: KeyObject): Buffer {
  return key.export({ type: 'pkcs8', format: 'der' });
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** So that the search for secrets knows it. */
export function registered(key: KeyObject): KeyObject {
  secret<Uint8Array>(keyDer(key));
  return key;
}

function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** A Buffer is one already. */
function distinguishedName(text: string | Buffer): Buffer {
  if (typeof text !== 'string') return text;
  const attribute = sequence(oid('2.5.4.3'), der(tag.utf8String, Buffer.from(text)));
  return sequence(der(tag.set, attribute));
}
