import { createDecipheriv, pbkdf2Sync } from 'node:crypto';
import type { AgentError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { children, type DerNode, readOid, tag } from '../der.ts';
import { refuse } from './refuse.ts';

/** Something encrypted with a password, as it says itself (RFC 8018): an AlgorithmIdentifier, and the octets. */
export interface Encrypted {
  readonly algorithm: DerNode;
  readonly octets: Buffer;
}

export interface Opening {
  readonly password: Secret<string> | undefined;
  /** For messages: "the PKCS #12 file". */
  readonly what: string;
  /** Counts the rounds of key derivation; throws when an upload asks for too many. */
  readonly spend: (rounds: number) => void;
}

const oidOf = { pbes2: '1.2.840.113549.1.5.13', pbkdf2: '1.2.840.113549.1.5.12' } as const;

const ciphers: Readonly<Record<string, { readonly name: string; readonly keyBytes: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
};

const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};

const olderForms: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.12.1.1': 'RC4',
  '1.2.840.113549.1.12.1.2': 'RC4',
  '1.2.840.113549.1.12.1.3': '3DES',
  '1.2.840.113549.1.12.1.4': '3DES',
  '1.2.840.113549.1.12.1.5': 'RC2',
  '1.2.840.113549.1.12.1.6': 'RC2',
  '1.2.840.113549.1.5.1': 'DES',
  '1.2.840.113549.1.5.3': 'DES',
  '1.2.840.113549.1.5.4': 'RC2',
  '1.2.840.113549.1.5.6': 'RC2',
  '1.2.840.113549.1.5.10': 'DES',
  '1.2.840.113549.1.5.11': 'RC2',
  '1.2.840.113549.3.2': 'RC2',
  '1.2.840.113549.3.7': '3DES',
  '1.3.14.3.2.7': 'DES',
};

/** About a second. */
const mostRounds = 1_000_000;

/** For all that one upload holds: whoever made it must not keep us busy. */
export function limitedRounds(): Opening['spend'] {
  let left = mostRounds;
  return (rounds) => {
    if (!Number.isSafeInteger(rounds) || rounds < 1 || rounds > left)
      throw refuse(
        `it asks for more than ${mostRounds} rounds of key derivation; encrypt it anew with fewer of them`,
      );
    left -= rounds;
  };
}

/** PBES2 with PBKDF2 and AES-CBC. Throws for older ways, and where the password does not fit. */
export function decrypt({ algorithm, octets }: Encrypted, opening: Opening): Buffer {
  const [scheme, parameters] = children(algorithm);
  const name = scheme === undefined ? '' : readOid(scheme.body);
  if (name !== oidOf.pbes2 || parameters === undefined) throw unknownWay(name, opening.what);
  const [derivation, encryption] = children(parameters);
  if (derivation === undefined || encryption === undefined) throw new RangeError('not PBES2');
  const [cipherName, iv] = children(encryption);
  const cipherId = cipherName === undefined ? '' : readOid(cipherName.body);
  const cipher = ciphers[cipherId];
  if (cipher === undefined || iv === undefined) throw unknownWay(cipherId, opening.what);
  const key = deriveKey(derivation, cipher.keyBytes, opening);
  try {
    const decipher = createDecipheriv(cipher.name, key, iv.body);
    return Buffer.concat([decipher.update(octets), decipher.final()]);
  } catch {
    throw wrongPassword(opening);
  }
}

/** PBKDF2 (RFC 8018 §5.2) from its AlgorithmIdentifier. */
export function deriveKey(derivation: DerNode, keyBytes: number, { password, what, spend }: Opening): Buffer {
  const [name, parameters] = children(derivation);
  const id = name === undefined ? '' : readOid(name.body);
  if (id !== oidOf.pbkdf2 || parameters === undefined) throw unknownWay(id, what);
  const [salt, rounds, ...rest] = children(parameters);
  if (salt?.tag !== tag.octetString || rounds === undefined) throw new RangeError('not PBKDF2');
  const [prf] = rest.filter((field) => field.tag === tag.sequence).map(children);
  const hashId = prf?.[0] === undefined ? '1.2.840.113549.2.7' : readOid(prf[0].body);
  const hash = hashes[hashId];
  if (hash === undefined) throw unknownWay(hashId, what);
  const count = smallInteger(rounds);
  spend(count);
  return pbkdf2Sync(password?.reveal() ?? '', salt.body, count, keyBytes, hash);
}

/** An INTEGER of at most four octets. */
export function smallInteger({ tag: kind, body }: DerNode): number {
  if (kind !== tag.integer || body.length < 1 || body.length > 4) throw new RangeError('not a small number');
  return body.readIntBE(0, body.length);
}

export function wrongPassword({ password, what }: Opening): AgentError {
  return refuse(
    password === undefined ? `${what} has a password; give it` : `the password does not open ${what}`,
  );
}

function unknownWay(id: string, what: string): AgentError {
  const older = olderForms[id];
  return older === undefined
    ? refuse(
        `${what} is encrypted in a way that is not known here; write it anew with AES, as openssl 3 does`,
      )
    : refuse(
        `${what} is encrypted with ${older}, which is no longer safe; write it anew with AES: ${anew(what)}`,
      );
}

function anew(what: string): string {
  return what.includes('#12')
    ? '"openssl pkcs12 -legacy -in OLD -out PEM", then "openssl pkcs12 -export -in PEM -out NEW"'
    : '"openssl pkcs8 -in OLD -topk8 -v2 aes-256-cbc -out NEW"';
}
