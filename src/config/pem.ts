import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type Secret, secret } from '../core/secret.ts';
import type { Path } from './mistakes.ts';
import type { Reader } from './reader.ts';

const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Text of a file of certificates; undefined after reporting what is wrong with it, and where none is named. */
export function readCertificates(name: string | undefined, path: Path, reader: Reader): string | undefined {
  const text = name === undefined ? undefined : reader.file(name, path);
  if (name === undefined || text === undefined) return undefined;
  const blocks = text.match(block) ?? [];
  if (blocks.length > 0 && blocks.every((one) => isRead(() => new X509Certificate(one)))) return text;
  const found = blocks.length === 0 ? 'no certificate in PEM' : 'a certificate that is damaged';
  reader.report(path, `the file ${reader.absolute(name)} holds ${found}`);
  return undefined;
}

/** The same for a private key. */
export function readPrivateKey(
  name: string | undefined,
  path: Path,
  reader: Reader,
): Secret<string> | undefined {
  const text = name === undefined ? undefined : reader.file(name, path);
  if (name === undefined || text === undefined) return undefined;
  if (isRead(() => createPrivateKey(text))) return secret(text);
  reader.report(path, `the file ${reader.absolute(name)} holds no private key in PEM without a passphrase`);
  return undefined;
}

function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
