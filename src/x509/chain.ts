import { X509Certificate } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import type { CertificateFacts } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { Instant } from '../core/types.ts';
import { ariCertId, type ParsedCertificate, readCertificate, sha256 } from './certificate.ts';
import { keyTypeOfSpki, publicKeyOf } from './key.ts';
import { canonicalName } from './names.ts';
import { readPem } from './pem.ts';
import { publicKeyOfSpki } from './public-key.ts';

/** How far our clock and the CA's may differ. */
export const skewMs = 60 * 60 * 1000;
export const longestChain = 10;

interface Expected {
  readonly names: readonly string[];
  readonly privateKey: Secret<Uint8Array>;
  readonly now: Instant;
}

/**
 * What a CA delivered, in the order in which servers present it, without the root and without what does not belong to
 * the chain. Throws `order.certificate` with the point that fails.
 */
export function readIssued(pem: string, expected: Expected): CertificateFacts {
  const delivered = readAll(pem);
  const leaf = leafFor(delivered, publicKeyOf(expected.privateKey));
  if (leaf.isCa) throw refuse('the certificate for the ordered key is that of a CA');
  checkNames(leaf, expected.names);
  const chain = chainOf(leaf, delivered);
  for (const certificate of [leaf, ...chain]) checkDates(certificate, expected.now);
  return factsOf(leaf, chain);
}

/** Facts for the store; throws `command.invalid` for a key of a kind that we do not know. */
export function factsOf(leaf: ParsedCertificate, chain: readonly ParsedCertificate[]): CertificateFacts {
  return {
    leafDer: leaf.der,
    chainDer: chain.map((certificate) => certificate.der),
    names: leaf.names,
    issuerName: leaf.issuerName,
    keyType: keyTypeOfSpki(leaf.spkiDer),
    serial: leaf.serial,
    ariCertId: ariCertId(leaf),
    crlUrl: leaf.crlUrl,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    fingerprint: sha256(leaf.der),
  };
}

function readAll(pem: string): readonly ParsedCertificate[] {
  const blocks = readPem(pem);
  if (blocks.length === 0) throw refuse('what the CA delivered holds no PEM certificate');
  if (blocks.length > longestChain)
    throw refuse(`the CA delivered ${blocks.length} certificates in one chain`);
  return blocks.map((block, index) => {
    try {
      return readCertificate(block);
    } catch (cause) {
      throw refuse(`block ${index + 1} of what the CA delivered is not an X.509 certificate`, cause);
    }
  });
}

function leafFor(delivered: readonly ParsedCertificate[], spkiDer: Buffer): ParsedCertificate {
  const leaf = delivered.find((certificate) => certificate.spkiDer.equals(spkiDer));
  if (!leaf) throw refuse('no certificate that the CA delivered is for the key of the order');
  return leaf;
}

function checkNames(leaf: ParsedCertificate, wanted: readonly string[]): void {
  const held = new Set(leaf.names);
  const asked = new Set(wanted.map(canonicalName));
  const missing = [...asked].filter((name) => !held.has(name));
  const extra = [...held].filter((name) => !asked.has(name));
  if (missing.length > 0) throw refuse(`the certificate lacks ${missing.join(', ')}`);
  if (extra.length > 0) throw refuse(`the certificate also holds ${extra.join(', ')}, which nobody ordered`);
}

/** Issuers from the leaf upwards. RFC 8555 §7.4.2 lets a CA leave out the chain, but not deliver another's. */
function chainOf(
  leaf: ParsedCertificate,
  delivered: readonly ParsedCertificate[],
): readonly ParsedCertificate[] {
  const chain: ParsedCertificate[] = [];
  let below = leaf;
  for (let issuer = issuerOf(below, delivered); issuer; issuer = issuerOf(below, delivered)) {
    if (isRoot(issuer)) return chain;
    if (chain.includes(issuer)) throw refuse('the certificates of the chain issue each other in a circle');
    chain.push(issuer);
    below = issuer;
  }
  const others = delivered.filter((certificate) => certificate !== leaf && !isRoot(certificate));
  if (chain.length === 0 && others.length > 0) {
    throw refuse(`the chain does not hold the certificate of ${leaf.issuerName}, which issued this one`);
  }
  return chain;
}

/** The CA certificate that signed `below`; undefined when none of its name was delivered. */
function issuerOf(
  below: ParsedCertificate,
  delivered: readonly ParsedCertificate[],
): ParsedCertificate | undefined {
  const named = delivered.filter((one) => one !== below && one.subject.equals(below.issuer));
  if (named.length === 0) return undefined;
  const authorities = named.filter((one) => one.isCa);
  if (authorities.length === 0)
    throw refuse(`the chain's certificate of ${below.issuerName} is not that of a CA`);
  const issuer = authorities.find((one) => isSignedBy(below, one));
  if (!issuer) throw refuse(`the signature of ${below.issuerName} in the chain is not valid`);
  return issuer;
}

export function isSignedBy(below: ParsedCertificate, issuer: ParsedCertificate): boolean {
  try {
    return new X509Certificate(below.der).verify(publicKeyOfSpki(issuer.spkiDer));
  } catch {
    // OpenSSL is stricter than our reader and knows fewer algorithms than there are.
    return false;
  }
}

/** It names itself as its issuer. */
export function isRoot(certificate: ParsedCertificate): boolean {
  return certificate.subject.equals(certificate.issuer);
}

function checkDates(certificate: ParsedCertificate, now: Instant): void {
  const whose = certificate.isCa ? 'a certificate of the chain' : 'the certificate';
  if (certificate.notBefore > now + skewMs) {
    throw refuse(`${whose} is not valid before ${new Date(certificate.notBefore).toISOString()}`);
  }
  if (certificate.notAfter < now - skewMs) {
    throw refuse(`${whose} expired at ${new Date(certificate.notAfter).toISOString()}`);
  }
}

function refuse(message: string, cause?: unknown): AgentError {
  return new AgentError('order.certificate', message, { cause });
}
