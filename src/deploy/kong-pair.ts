import { createHash, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { DeployRequest } from '../core/ports.ts';
import type { PemPair } from './pem-files.ts';

/** A certificate of Kong, as far as it matters here: one, or an RSA and an EC one for the same names. */
export const kongCertificate = z.object({
  cert: z.string(),
  key: z.string(),
  cert_alt: z.string().nullish(),
  key_alt: z.string().nullish(),
  snis: z.array(z.string()).nullish(),
});
type KongCertificate = z.infer<typeof kongCertificate>;

export type KongParts = Readonly<Partial<Record<'ec' | 'rsa', PemPair>>>;

/** Both key classes of a label are one certificate of Kong, always of the same id: so a change is one request. */
export function kongId({ domain, label }: DeployRequest['slot']): string {
  const bytes = createHash('sha256').update(`acme-agent\0${domain}\0${label}`).digest().subarray(0, 16);
  // Version 8, made as one likes (RFC 9562 §5.8).
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function partsOf(held: KongCertificate): KongParts {
  const { cert, key, cert_alt, key_alt } = held;
  const first = { [keyClassOf(cert)]: { cert, key } };
  if (!cert_alt || !key_alt) return first;
  return { ...first, [keyClassOf(cert_alt)]: { cert: cert_alt, key: key_alt } };
}

/** undefined: nothing is left. Names of both; addresses are none that a client can ask for by SNI. */
export function certificateOf(parts: KongParts, tags: readonly string[]) {
  const [first, second] = [parts.ec, parts.rsa].filter((part) => part !== undefined);
  if (first === undefined) return undefined;
  const snis = [
    ...new Set([first, second].flatMap((part) => (part === undefined ? [] : namesIn(part.cert)))),
  ];
  return { ...first, cert_alt: second?.cert ?? null, key_alt: second?.key ?? null, snis, tags };
}

export function namesIn(pem: string): readonly string[] {
  const entries = new X509Certificate(pem).subjectAltName?.split(', ') ?? [];
  return entries.flatMap((entry) => (entry.startsWith('DNS:') ? [entry.slice(4).toLowerCase()] : []));
}

function keyClassOf(pem: string): 'ec' | 'rsa' {
  return new X509Certificate(pem).publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
}
