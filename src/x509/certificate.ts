import { createHash } from 'node:crypto';
import type { Instant } from '../core/types.ts';
import { children, type DerNode, readDer, readOid, readTime, tag } from './der.ts';
import { readNames } from './names.ts';

/** One X.509 certificate (RFC 5280), as far as we look into it. */
export interface ParsedCertificate {
  readonly der: Buffer;
  /** DNS names and IP addresses of the SAN; the common name does not count. */
  readonly names: readonly string[];
  /** Lower-case hex without a leading zero byte, as openssl prints it. */
  readonly serial: string;
  /** Content octets of the INTEGER: with the leading zero byte. */
  readonly serialDer: Buffer;
  /** DER of the distinguished names. */
  readonly subject: Buffer;
  readonly issuer: Buffer;
  /** Common name of the issuer, else its organisation. */
  readonly issuerName: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly spkiDer: Buffer;
  readonly isCa: boolean;
  /** AlgorithmIdentifier of its signature. */
  readonly signatureAlgorithm: Buffer;
  /** What its key may be used for; absent: anything. */
  readonly extendedKeyUsage?: readonly string[] | undefined;
  /** A CA made it to get timestamps for the real one (RFC 6962 §3.1): no client takes it. */
  readonly isPrecertificate: boolean;
  /** First address of the web at which the certificate of its issuer is to be had (RFC 5280 §4.2.2.1). */
  readonly issuerUrl?: string | undefined;
  /** Common name, else organisation, for people. */
  readonly subjectName: string;
  readonly authorityKeyId?: Buffer | undefined;
  /** First address of the web at which its CA publishes what it revoked. */
  readonly crlUrl?: string | undefined;
}

/** RFC 5280 appendix A.1 allows 64 characters; some CAs take more. */
const longestName = 200;

const oidOf = {
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  caIssuers: '1.3.6.1.5.5.7.48.2',
  precertificatePoison: '1.3.6.1.4.1.11129.2.4.3',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
} as const;

/** Throws RangeError when the bytes are no certificate. */
export function readCertificate(bytes: Uint8Array): ParsedCertificate {
  const certificate = readDer(bytes);
  const [tbs, signatureAlgorithm] = children(certificate);
  const fields = tbs?.tag === tag.sequence ? children(tbs) : [];
  const [serial, , issuer, validity, subject, spki, ...rest] =
    fields[0]?.tag === 0xa0 ? fields.slice(1) : fields;
  if (!serial || !issuer || !validity || !subject || !spki || !signatureAlgorithm)
    throw new RangeError('not an X.509 certificate');
  const [notBefore, notAfter] = children(validity);
  if (!notBefore || !notAfter) throw new RangeError('a certificate without validity');
  const extensions = readExtensions(rest);
  return {
    der: certificate.whole,
    names: namesOf(extensions.get(oidOf.subjectAltName)),
    serial: serial.body.toString('hex').replace(/^00(?=.)/, ''),
    serialDer: serial.body,
    subject: subject.whole,
    issuer: issuer.whole,
    issuerName: nameForPeople(issuer) ?? 'unnamed issuer',
    subjectName: nameForPeople(subject) ?? 'unnamed',
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spkiDer: spki.whole,
    isCa: isCa(extensions.get(oidOf.basicConstraints)),
    signatureAlgorithm: signatureAlgorithm.whole,
    extendedKeyUsage: keyUses(extensions.get(oidOf.extendedKeyUsage)),
    isPrecertificate: extensions.has(oidOf.precertificatePoison),
    issuerUrl: issuerUrl(extensions.get(oidOf.authorityInfoAccess)),
    authorityKeyId: authorityKeyId(extensions.get(oidOf.authorityKeyId)),
    crlUrl: crlUrl(extensions.get(oidOf.crlDistributionPoints)),
  };
}

/** RFC 9773 §4.1; undefined when the certificate does not name its issuer's key. */
export function ariCertId(
  certificate: Pick<ParsedCertificate, 'authorityKeyId' | 'serialDer'>,
): string | undefined {
  if (!certificate.authorityKeyId) return undefined;
  return `${certificate.authorityKeyId.toString('base64url')}.${certificate.serialDer.toString('base64url')}`;
}

/** Lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function readExtensions(fields: readonly DerNode[]): ReadonlyMap<string, Buffer> {
  const wrapped = fields.find((field) => field.tag === 0xa3);
  if (!wrapped) return new Map();
  return new Map(
    children(readDer(wrapped.body)).map((extension) => {
      const parts = children(extension);
      const [name, value] = [parts[0], parts.at(-1)];
      if (!name || !value) throw new RangeError('a certificate with an empty extension');
      return [readOid(name.body), value.body];
    }),
  );
}

function namesOf(value: Buffer | undefined): readonly string[] {
  return value ? readNames(readDer(value)) : [];
}

function isCa(value: Buffer | undefined): boolean {
  const flag = value && children(readDer(value))[0];
  return flag?.tag === tag.boolean && flag.body[0] !== 0;
}

/** RFC 5280 §4.2.1.1 `[0] keyIdentifier`. */
function authorityKeyId(value: Buffer | undefined): Buffer | undefined {
  return value && children(readDer(value)).find((field) => field.tag === 0x80)?.body;
}

function keyUses(value: Buffer | undefined): readonly string[] | undefined {
  return value && children(readDer(value)).map(({ body }) => readOid(body));
}

function issuerUrl(value: Buffer | undefined): string | undefined {
  const places = value === undefined ? [] : children(readDer(value)).map(children);
  const urls = places.flatMap(([method, place]) => {
    const isIssuer = method !== undefined && readOid(method.body) === oidOf.caIssuers;
    return isIssuer && place?.tag === 0x86 ? [place.body.toString('latin1')] : [];
  });
  return urls.find(isWebAddress);
}

function isWebAddress(url: string): boolean {
  return /^https?:\/\/[!-~]+$/i.test(url);
}

/** RFC 5280 §4.2.1.13. Points of one CA for some reasons only, or of another CA, are left alone. */
function crlUrl(value: Buffer | undefined): string | undefined {
  const points = value === undefined ? [] : children(readDer(value)).map(children);
  const plain = points.flatMap(([name, ...rest]) => (name?.tag === 0xa0 && rest.length === 0 ? [name] : []));
  return plain.flatMap(addressesOf).find(isWebAddress);
}

/** The URIs of a DistributionPointName. */
export function addressesOf(distributionPoint: DerNode): readonly string[] {
  const names = children(distributionPoint).filter(({ tag: kind }) => kind === 0xa0);
  return names
    .flatMap(children)
    .flatMap(({ tag: kind, body }) => (kind === 0x86 ? [body.toString('latin1')] : []));
}

function nameForPeople(name: DerNode): string | undefined {
  const texts = new Map<string, string>();
  for (const relative of children(name)) {
    for (const attribute of children(relative)) {
      const [type, value] = children(attribute);
      if (type && value) texts.set(readOid(type.body), text(value));
    }
  }
  const found = texts.get(oidOf.commonName) ?? texts.get(oidOf.organization);
  // Whoever made it wrote what they liked: no command to a terminal, no letters that turn the line around.
  return found?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, longestName);
}

function text(value: DerNode): string {
  if (value.tag === tag.bmpString) return Buffer.from(value.body).swap16().toString('utf16le');
  return value.body.toString(value.tag === tag.utf8String ? 'utf8' : 'latin1');
}
