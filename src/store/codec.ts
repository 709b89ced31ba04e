import { createHash } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import type { AcmeAccountRecord } from '../core/ports.ts';
import type { Bundle, Certificate, Issuance, LineageId } from '../core/types.ts';
import type { Crypt } from './crypt.ts';

/** Records are JSON; certificates and sealed keys of a generation are binary. Only sealed keys pass from here to Redis. */
export function encode(record: unknown): string {
  return JSON.stringify(record);
}

/** `what`: the record in words. Throws `store.record`. */
export function decode<T>(text: string, what: string): T {
  try {
    const record: unknown = JSON.parse(text);
    if (typeof record === 'object' && record !== null) return record as T;
  } catch {
    // Said below; the parser would quote what stands there.
  }
  throw new AgentError('store.record', `${what} in the store is damaged: it is no record`, {
    facts: { record: what },
  });
}

export function decodeMaybe<T>(text: string | null | undefined, what: string): T | undefined {
  return text === null || text === undefined ? undefined : decode<T>(text, what);
}

/** `<version>:<json>`, so that the commit script can compare versions without parsing; stored one higher than read. */
export function encodeVersioned<T extends { readonly version: number }>({ version, ...rest }: T): string {
  return `${version + 1}:${encode(rest)}`;
}

export function decodeVersioned<T>(text: string, what: string): T {
  return { ...decode<T>(text.slice(text.indexOf(':') + 1), what), version: versionOf(text) };
}

/** As the commit script reads it, also of a damaged record. */
export function versionOf(text: string): number {
  return Number(/^\d+/.exec(text)?.[0] ?? 0);
}

export function encodeIssuance(issuance: Issuance, crypt: Crypt): string {
  const { privateKey, csrDer, ...rest } = issuance;
  return encode({
    ...rest,
    privateKey: crypt.seal(privateKey, issuanceIdentity(issuance.lineage)).toString('base64'),
    csrDer: Buffer.from(csrDer).toString('base64'),
  });
}

export function decodeIssuance(text: string, lineage: LineageId, crypt: Crypt): Issuance {
  const record = decode<Omit<Issuance, 'privateKey' | 'csrDer'> & { privateKey: string; csrDer: string }>(
    text,
    `the order under way of ${lineage}`,
  );
  return {
    ...record,
    privateKey: crypt.open(Buffer.from(record.privateKey, 'base64'), issuanceIdentity(record.lineage)),
    csrDer: Buffer.from(record.csrDer, 'base64'),
  };
}

export function encodeAccount(record: AcmeAccountRecord, crypt: Crypt): string {
  const { issuer, key, nextKey } = record;
  const sealed = (one: typeof key, identity: string) => crypt.seal(one, identity).toString('base64');
  return encode({
    ...record,
    key: sealed(key, `account:${issuer}`),
    nextKey: nextKey && sealed(nextKey, `next-account:${issuer}`),
  });
}

export function decodeAccount(text: string, name: string, crypt: Crypt): AcmeAccountRecord {
  const record = decode<Omit<AcmeAccountRecord, 'key' | 'nextKey'> & { key: string; nextKey?: string }>(
    text,
    `the account at ${name}`,
  );
  const { issuer, key, nextKey } = record;
  const opened = (one: string, identity: string) => crypt.open(Buffer.from(one, 'base64'), identity);
  return {
    ...record,
    key: opened(key, `account:${issuer}`),
    nextKey: nextKey === undefined ? undefined : opened(nextKey, `next-account:${issuer}`),
  };
}

/** What is stored of one generation; lineage and number are in the key. */
export interface StoredGeneration {
  readonly facts: string;
  /** Length of the leaf (4 bytes), leaf, sealed key. */
  readonly leafAndKey: Buffer;
  readonly chain: readonly StoredIntermediate[];
}

export interface StoredIntermediate {
  readonly id: string;
  readonly der: Uint8Array;
}

export function encodeGeneration({ certificate, ...bundle }: Bundle, crypt: Crypt): StoredGeneration {
  const { lineage, generation, ...facts } = certificate;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bundle.leafDer.length);
  const sealed = crypt.seal(bundle.privateKey, generationIdentity(lineage, generation));
  return {
    facts: encode(facts),
    leafAndKey: Buffer.concat([length, bundle.leafDer, sealed]),
    chain: bundle.chainDer.map((der) => ({ id: contentId(der), der })),
  };
}

export function decodeCertificate(facts: string, lineage: LineageId, generation: number): Certificate {
  const what = `generation ${generation} of ${lineage}`;
  return { lineage, generation, ...decode<Omit<Certificate, 'lineage' | 'generation'>>(facts, what) };
}

export function decodeBundle(
  certificate: Certificate,
  stored: { readonly leafAndKey: Buffer; readonly chainDer: readonly Uint8Array[] },
  crypt: Crypt,
): Bundle {
  const { leafAndKey, chainDer } = stored;
  const leafEnd = 4 + leafAndKey.readUInt32BE(0);
  const identity = generationIdentity(certificate.lineage, certificate.generation);
  return {
    certificate,
    leafDer: leafAndKey.subarray(4, leafEnd),
    chainDer,
    privateKey: crypt.open(leafAndKey.subarray(leafEnd), identity),
  };
}

function contentId(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url');
}

function generationIdentity(lineage: LineageId, generation: number): string {
  return `certificate:${lineage}:${generation}`;
}

function issuanceIdentity(lineage: LineageId): string {
  return `issuance:${lineage}`;
}
