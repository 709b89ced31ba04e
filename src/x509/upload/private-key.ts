import { createPrivateKey, type KeyObject } from 'node:crypto';
import { type Secret, secret } from '../../core/secret.ts';
import { children, type DerNode, readDer, tag } from '../der.ts';
import { decrypt, type Opening, wrongPassword } from './pbes2.ts';
import type { PemBlock } from './pem-text.ts';
import { octetsOf } from './pem-text.ts';
import { refuse } from './refuse.ts';

/** PKCS #8 DER. */
export type PrivateKey = Secret<Uint8Array>;

const keyLabels: Readonly<Record<string, 'pkcs8' | 'pkcs1' | 'sec1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
};

/** The private key that a block holds; undefined: it is none. */
export function keyOfBlock(block: PemBlock, opening: Opening): PrivateKey | undefined {
  const { label, body } = block;
  const { what } = opening;
  if (label === 'ENCRYPTED PRIVATE KEY') return openKey(readDer(octetsOf(block, what)), opening);
  if (label === 'OPENSSH PRIVATE KEY')
    throw refuse(`${what} is a key of SSH, which has no certificate of the web`);
  const type = keyLabels[label];
  if (type === undefined) return undefined;
  if (/^\s*Proc-Type:\s*4,\s*ENCRYPTED/m.test(body)) return openOldKey(block, opening);
  return loaded(octetsOf(block, what), type, what);
}

/** RFC 5958 EncryptedPrivateKeyInfo, PrivateKeyInfo, RFC 8017 RSAPrivateKey or RFC 5915 ECPrivateKey; undefined: none of them. */
export function keyOfDer(node: DerNode, opening: Opening): PrivateKey | undefined {
  const [first, second, third] = children(node);
  if (first?.tag === tag.sequence && second?.tag === tag.octetString && third === undefined)
    return openKey(node, opening);
  if (first?.tag !== tag.integer || second === undefined) return undefined;
  const forms = { [tag.sequence]: 'pkcs8', [tag.integer]: 'pkcs1', [tag.octetString]: 'sec1' } as const;
  const type = forms[second.tag as keyof typeof forms];
  return type && loaded(node.whole, type, opening.what);
}

export function keyOfPkcs8(der: Buffer, what: string): PrivateKey {
  return loaded(der, 'pkcs8', what);
}

function openKey(node: DerNode, opening: Opening): PrivateKey {
  const [algorithm, octets] = children(node);
  if (algorithm === undefined || octets === undefined) throw refuse(`${opening.what} is damaged`);
  const plain = decrypt({ algorithm, octets: octets.body }, opening);
  try {
    return loaded(plain, 'pkcs8', opening.what);
  } catch {
    // Padding that looks right by chance.
    throw wrongPassword(opening);
  }
}

/** The form of OpenSSL before PKCS #8: one round of MD5 makes the key, so there is nothing to limit. */
function openOldKey({ label, body }: PemBlock, opening: Opening): PrivateKey {
  const { password } = opening;
  if (password === undefined) throw wrongPassword(opening);
  const lines = body.split(/\r\n?|\n/).map((line) => line.trim());
  const pem = `-----BEGIN ${label}-----${lines.join('\n')}-----END ${label}-----\n`;
  try {
    return exported(createPrivateKey({ key: pem, passphrase: password.reveal() }));
  } catch {
    throw wrongPassword(opening);
  }
}

function loaded(der: Buffer, type: 'pkcs8' | 'pkcs1' | 'sec1', what: string): PrivateKey {
  try {
    return exported(createPrivateKey({ key: der, format: 'der', type }));
  } catch {
    throw refuse(`${what} holds a private key that cannot be read: it is damaged or of an unknown kind`);
  }
}

function exported(key: KeyObject): PrivateKey {
  return secret<Uint8Array>(key.export({ type: 'pkcs8', format: 'der' }));
}
