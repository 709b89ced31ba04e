import { AgentError } from '../core/errors.ts';
import type { RevokedEntry } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { addressesOf, readCertificate } from './certificate.ts';
import { children, type DerNode, readDer, readOid, readTime, tag } from './der.ts';
import { readPem } from './pem.ts';
import { isSigned, readSignatureAlgorithm } from './signature.ts';

/** How far our clock and the CA's may differ. */
const skewMs = 60 * 60 * 1000;

const oidOf = { reasonCode: '2.5.29.21', issuingDistributionPoint: '2.5.29.28' } as const;

/** Critical ones, and what they say, that we can judge; with any other the list is refused (RFC 5280 §5.2). */
const understood: ReadonlySet<string> = new Set([oidOf.issuingDistributionPoint]);

const reasons: readonly string[] = [
  ...['unspecified', 'keyCompromise', 'cACompromise', 'affiliationChanged', 'superseded'],
  ...['cessationOfOperation', 'certificateHold', 'unspecified', 'removeFromCRL'],
  ...['privilegeWithdrawn', 'aACompromise'],
];

export interface CrlExpected {
  /** Where it was fetched, as the certificate names the place. */
  readonly url: string;
  /** Certificate of the CA that signs it. */
  readonly issuerDer: Uint8Array;
  /** As in the facts of certificates. */
  readonly serials: readonly string[];
  readonly now: Instant;
}

export interface ReadCrl {
  readonly thisUpdate: Instant;
  readonly nextUpdate?: Instant | undefined;
  /** Of the serials asked for, those that the list names. */
  readonly revoked: readonly RevokedEntry[];
}

/**
 * A list of revoked certificates (RFC 5280 §5), DER or PEM: its signature, its place and its date are checked, then it is
 * searched in one pass. One past its next update still says what it says: a revocation is for good. Throws
 * `acme.response` for what is no list, or not that of this CA for this place.
 */
export function readCrl(bytes: Uint8Array, expected: CrlExpected): ReadCrl {
  try {
    return readSigned(toDer(bytes), expected);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw refuse(expected.url, 'is no list of revoked certificates', error);
  }
}

function toDer(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === tag.sequence) return bytes;
  return readPem(Buffer.from(bytes).toString('latin1'), 'X509 CRL')[0] ?? bytes;
}

function readSigned(der: Uint8Array, expected: CrlExpected): ReadCrl {
  const whole = readDer(der);
  const [tbs, algorithm, signature] = children(whole);
  if (
    whole.tag !== tag.sequence ||
    tbs?.tag !== tag.sequence ||
    algorithm === undefined ||
    signature?.tag !== tag.bitString
  )
    throw new RangeError('not a CertificateList');
  const list = readList(tbs);
  checkSigner({ tbs, algorithm, signature, list }, expected);
  checkScope(list.extensions, expected.url);
  if (list.thisUpdate > expected.now + skewMs)
    throw refuse(expected.url, `is dated ${new Date(list.thisUpdate).toISOString()}, which is to come`);
  const { thisUpdate, nextUpdate, entries } = list;
  const revoked = entries === undefined ? [] : search(entries.body, new Set(expected.serials));
  return { thisUpdate, nextUpdate, revoked };
}

interface List {
  readonly algorithm: DerNode;
  readonly issuer: DerNode;
  readonly thisUpdate: Instant;
  readonly nextUpdate: Instant | undefined;
  readonly entries: DerNode | undefined;
  readonly extensions: readonly DerNode[];
}

/** RFC 5280 §5.1.2. */
function readList(tbs: DerNode): List {
  const fields = children(tbs);
  const [algorithm, issuer, thisUpdate, ...rest] = fields[0]?.tag === tag.integer ? fields.slice(1) : fields;
  if (algorithm === undefined || issuer?.tag !== tag.sequence || thisUpdate === undefined)
    throw new RangeError('not a TBSCertList');
  const isTime = (node: DerNode | undefined) =>
    node?.tag === tag.utcTime || node?.tag === tag.generalizedTime;
  const wrapped = rest.find((node) => node.tag === 0xa0);
  const [next] = rest;
  return {
    algorithm,
    issuer,
    thisUpdate: readTime(thisUpdate),
    nextUpdate: next !== undefined && isTime(next) ? readTime(next) : undefined,
    entries: rest.find((node) => node.tag === tag.sequence),
    extensions: wrapped === undefined ? [] : children(readDer(wrapped.body)),
  };
}

interface Signed {
  readonly tbs: DerNode;
  readonly algorithm: DerNode;
  readonly signature: DerNode;
  readonly list: List;
}

function checkSigner({ tbs, algorithm, signature, list }: Signed, { url, issuerDer }: CrlExpected): void {
  const authority = readCertificate(issuerDer);
  // RFC 5280 §5.1.1.2.
  if (!algorithm.whole.equals(list.algorithm.whole)) throw refuse(url, 'names two ways of signing');
  if (!list.issuer.whole.equals(authority.subject)) throw refuse(url, 'is not that of the CA that issued');
  const signedBy = readSignatureAlgorithm(algorithm);
  if (signedBy === undefined) throw refuse(url, 'is signed in a way that is not known here');
  if (!isSigned({ bytes: tbs.whole, signature }, signedBy, authority.spkiDer))
    throw refuse(url, 'does not have a valid signature of the CA that issued');
}

/** A list may be for one place of several, so one for another place would say nothing of our certificates (§6.3.3). */
function checkScope(extensions: readonly DerNode[], url: string): void {
  for (const extension of extensions) {
    const parts = children(extension);
    const [name, value] = [parts[0], parts.at(-1)];
    if (name === undefined || value === undefined) throw new RangeError('an empty extension');
    const id = readOid(name.body);
    const isCritical = parts[1]?.tag === tag.boolean && parts[1].body[0] !== 0;
    if (isCritical && !understood.has(id))
      throw refuse(url, `has an extension that is not known here, ${id}`);
    if (id === oidOf.issuingDistributionPoint) checkPlace(children(readDer(value.body)), url);
  }
}

/** RFC 5280 §5.2.5; [2] certificates of CAs only, [4] other CAs' certificates too, [5] attribute certificates only. */
function checkPlace(fields: readonly DerNode[], url: string): void {
  const place = fields.find((field) => field.tag === 0xa0);
  const addresses = place === undefined ? [] : addressesOf(place);
  if (addresses.length > 0 && !addresses.includes(url)) throw refuse(url, 'is the list of another place');
  const isForeign = fields.some(({ tag: kind, body }) => [0x82, 0x84, 0x85].includes(kind) && body[0] !== 0);
  if (isForeign) throw refuse(url, 'is about other certificates than those of servers');
}

/** By hand and not with `children`: a list may have a million entries, of which none is ours. */
function search(body: Buffer, wanted: ReadonlySet<string>): readonly RevokedEntry[] {
  const found: RevokedEntry[] = [];
  for (let at = 0; at < body.length; ) {
    const [start, end] = contentOf(body, at);
    const [serialStart, serialEnd] = contentOf(body, start);
    if (serialEnd > end) throw new RangeError('an entry ends past the list');
    const serial = body.toString('hex', serialStart, serialEnd).replace(/^00(?=.)/, '');
    if (wanted.has(serial)) found.push({ serial, ...readEntry(readDer(body, at)) });
    at = end;
  }
  return found;
}

/** Where the content of the element at `at` begins and ends. */
function contentOf(bytes: Buffer, at: number): readonly [start: number, end: number] {
  const first = bytes.readUInt8(at + 1);
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || octets > 4) throw new RangeError('a length that DER does not have');
  const start = at + 2 + octets;
  const end = start + (octets === 0 ? first : bytes.readUIntBE(at + 2, octets));
  if (end > bytes.length) throw new RangeError('an element ends past its container');
  return [start, end];
}

function readEntry(entry: DerNode): Omit<RevokedEntry, 'serial'> {
  const [, date, extensions] = children(entry);
  if (date === undefined) throw new RangeError('an entry without a date');
  const codes = (extensions === undefined ? [] : children(extensions)).flatMap((extension) => {
    const parts = children(extension);
    const [name, value] = [parts[0], parts.at(-1)];
    const isReason = name !== undefined && readOid(name.body) === oidOf.reasonCode;
    return isReason && value !== undefined ? [readDer(value.body).body[0] ?? 0] : [];
  });
  return { revokedAt: readTime(date), reason: reasons[codes[0] ?? 0] ?? 'unspecified' };
}

function refuse(url: string, what: string, cause?: unknown): AgentError {
  return new AgentError('acme.response', `what lies at ${url} ${what}`, { facts: { url }, cause });
}
