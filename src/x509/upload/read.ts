import type { CertificateFacts } from '../../core/ports.ts';
import type { Secret } from '../../core/secret.ts';
import type { HandedIn, Instant } from '../../core/types.ts';
import { type ParsedCertificate, readCertificate } from '../certificate.ts';
import { factsOf } from '../chain.ts';
import { checkKey, checkLeaf, checkSignature, leafOf, usableNames, visible } from './leaf.ts';
import { joined, type Material, readMaterial } from './material.ts';
import { findPath, type Path } from './path.ts';
import { limitedRounds } from './pbes2.ts';
import type { PrivateKey } from './private-key.ts';
import { readOr, refuse } from './refuse.ts';

/** More is no certificate with its chain and key. */
export const mostUploadBytes = 256 * 1024;
const mostCertificates = 20;

/** A certificate that was handed in, with all that a server needs. */
export interface ReadUpload {
  readonly facts: CertificateFacts;
  /** PKCS #8 DER. */
  readonly privateKey: PrivateKey;
  /** What was put right, a sentence each. */
  readonly notes: readonly string[];
  /** Of the last one of the chain; absent: the chain is whole. */
  readonly missing?: MissingIssuer | undefined;
}

export interface MissingIssuer {
  readonly issuerName: string;
  readonly of: string;
  /** Where the certificate itself says that it is to be had. */
  readonly url?: string | undefined;
}

/**
 * Reads what a person handed in: one bundle or up to three files, PEM, DER, PKCS #7 or PKCS #12. The order is put right,
 * the root and what does not belong to the chain are left out. `more`: certificates that were fetched for the chain.
 * Throws `command.invalid` with exactly what is wrong. A few milliseconds, but for the rounds that a password asks for.
 */
export function readUpload(
  files: HandedIn,
  { now, more = [] }: { readonly now: Instant; readonly more?: readonly Uint8Array[] | undefined },
): ReadUpload {
  checkSize(files);
  const { certificates, keys } = readFiles(files);
  const given = readAll([...certificates, ...more]);
  const key = onlyKey(keys);
  const leaf = leafOf(given, key);
  checkLeaf(leaf, now);
  checkKey(leaf, key, given);
  const path = findPath(leaf, given, now);
  for (const one of [leaf, ...path.chain]) checkSignature(one);
  const { open } = path;
  return {
    facts: { ...factsOf(leaf, path.chain), names: usableNames(leaf) },
    privateKey: key,
    notes: notesOf(leaf, given, path),
    ...(open !== undefined && {
      missing: { issuerName: open.issuerName, of: open.subjectName, url: open.issuerUrl },
    }),
  };
}

/** DER of the certificates of one file, as CAs publish their own. Throws `command.invalid` for anything else. */
export function readCertificates(file: Uint8Array, what: string): readonly Uint8Array[] {
  const { certificates } = readMaterial(file, { password: undefined, what, spend: limitedRounds() });
  return readAll(certificates).map(({ der }) => der);
}

/** Throws where the chain is not whole, with what to add. */
export function requireWhole({ missing }: ReadUpload): void {
  if (missing === undefined) return;
  const { issuerName, of, url } = missing;
  const there = url === undefined ? '' : ` (${visible(url)})`;
  throw refuse(
    `the chain is not whole: the certificate of ${issuerName}, which issued that of ${of}, is missing; add it to the chain${there}. If it is a root of your own, add it too: it is not sent to clients`,
  );
}

function checkSize({ certificate, key, chain }: HandedIn): void {
  const bytes = [certificate, key, chain].reduce((sum, part) => sum + (part?.reveal().length ?? 0), 0);
  if (bytes > mostUploadBytes)
    throw refuse(
      `it has ${bytes} bytes; a certificate with its chain and key has at most ${mostUploadBytes}`,
    );
}

function readFiles({ certificate, key, chain, password }: HandedIn): Material {
  const spend = limitedRounds();
  const read = (file: Secret<Uint8Array>, what: string) =>
    readMaterial(file.reveal(), { password, what, spend });
  const isBundle = key === undefined && chain === undefined;
  const first = read(certificate, isBundle ? 'the upload' : 'the certificate file');
  const second = key && read(key, 'the key file');
  const third = chain && read(chain, 'the chain file');
  const hasKey = (part: Material | undefined) => (part?.keys.length ?? 0) > 0;
  const hasCertificate = (part: Material | undefined) => (part?.certificates.length ?? 0) > 0;
  if (second !== undefined && !hasKey(second)) {
    if (hasKey(first) && !hasCertificate(first))
      throw refuse('the certificate and the key are swapped: each file holds what the other should');
    throw refuse(`the key file holds no private key${hasCertificate(second) ? ', but a certificate' : ''}`);
  }
  if (!hasCertificate(first))
    throw refuse(
      isBundle
        ? 'the upload holds no certificate'
        : `the certificate file holds no certificate${hasKey(first) ? ', but a private key' : ''}`,
    );
  if (third !== undefined && !hasCertificate(third)) throw refuse('the chain file holds no certificate');
  return joined([first, ...(second === undefined ? [] : [second]), ...(third === undefined ? [] : [third])]);
}

/** Each once, whatever the file repeats. */
function readAll(blocks: readonly Uint8Array[]): readonly ParsedCertificate[] {
  const distinct = new Map(blocks.map((block) => [Buffer.from(block).toString('base64'), block]));
  if (distinct.size > mostCertificates)
    throw refuse(
      `it holds ${distinct.size} certificates; give the server's own and those between it and the root`,
    );
  return [...distinct.values()].map((block, index) => {
    const certificate = readOr(
      `certificate ${index + 1} of it is damaged: it is not an X.509 certificate`,
      () => readCertificate(block),
    );
    if (certificate.der.length === block.length) return certificate;
    throw refuse(`certificate ${index + 1} of it has bytes behind its end`);
  });
}

function onlyKey(keys: readonly PrivateKey[]): PrivateKey {
  const distinct = new Map(keys.map((key) => [Buffer.from(key.reveal()).toString('base64'), key]));
  const [key, ...others] = distinct.values();
  if (key === undefined)
    throw refuse('there is no private key; give the one that the certificate was made for');
  if (others.length > 0)
    throw refuse(`there are ${distinct.size} private keys; give that of the certificate only`);
  return key;
}

function notesOf(
  leaf: ParsedCertificate,
  given: readonly ParsedCertificate[],
  { chain, root }: Path,
): readonly string[] {
  const kept = [leaf, ...chain];
  const strays = given.filter((one) => !kept.includes(one) && one !== root);
  const order = given.filter((one) => kept.includes(one));
  const lost = leaf.names.length - usableNames(leaf).length;
  return [
    ...(order.some((one, index) => one !== kept[index]) ? ['The chain was put in order.'] : []),
    ...(root === undefined ? [] : [`The root ${root.subjectName} was left out: servers do not send it.`]),
    ...strays.map(({ subjectName }) => `${subjectName} was left out: it is not part of the chain.`),
    ...(lost === 0 ? [] : [`${lost} of its names cannot be served, and count for nothing.`]),
  ];
}
