import { createHmac, hash as digest, timingSafeEqual } from 'node:crypto';
import { children, type DerNode, readOid } from '../der.ts';
import { deriveKey, type Opening, smallInteger } from './pbes2.ts';
import { refuse } from './refuse.ts';

interface Hash {
  readonly name: string;
  readonly bytes: number;
  /** Octets that it takes at a time. */
  readonly block: number;
}

const hashes: Readonly<Record<string, Hash>> = {
  '1.3.14.3.2.26': { name: 'sha1', bytes: 20, block: 64 },
  '2.16.840.1.101.3.4.2.4': { name: 'sha224', bytes: 28, block: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', bytes: 32, block: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', bytes: 48, block: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', bytes: 64, block: 128 },
};

const hmacs: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};

const pbmac1 = '1.2.840.113549.1.5.14';

/** Purpose byte of the derivation: a key for integrity. */
const forMac = 3;

/** Whether the MAC of a PKCS #12 file (MacData, RFC 7292 §4) is that of these octets under the password. */
export function isMacRight(macData: DerNode, octets: Uint8Array, opening: Opening): boolean {
  const [digestInfo, salt, rounds] = children(macData);
  const [algorithm, expected] = digestInfo === undefined ? [] : children(digestInfo);
  const [name, parameters] = algorithm === undefined ? [] : children(algorithm);
  if (name === undefined || expected === undefined || salt === undefined) throw new RangeError('not a MAC');
  const id = readOid(name.body);
  if (id === pbmac1 && parameters !== undefined)
    return isSame(expected.body, newMac(parameters, octets, opening));
  const hash = hashes[id];
  if (hash === undefined) throw refuse(`${opening.what} has a MAC of a kind that is not known here`);
  const count = rounds === undefined ? 1 : smallInteger(rounds);
  // An empty password is written by some as one of no characters, by others as none at all.
  const text = opening.password?.reveal() ?? '';
  const passwords = text === '' ? [wide(''), Buffer.alloc(0)] : [wide(text)];
  return passwords.some((password) => {
    // Not in one call to OpenSSL, so each takes twice as long as one of PBKDF2.
    opening.spend(2 * count);
    const key = oldKey(hash, { password, salt: salt.body, count });
    return isSame(expected.body, createHmac(hash.name, key).update(octets).digest());
  });
}

/** RFC 9579: PBMAC1. */
function newMac(parameters: DerNode, octets: Uint8Array, opening: Opening): Buffer {
  const [derivation, scheme] = children(parameters);
  const [hmac] = scheme === undefined ? [] : children(scheme);
  const hash = hmac && hmacs[readOid(hmac.body)];
  if (derivation === undefined || hash === undefined)
    throw refuse(`${opening.what} has a MAC of a kind that is not known here`);
  const [, inner] = children(derivation);
  const length = inner === undefined ? undefined : children(inner)[2];
  if (length === undefined) throw new RangeError('not PBMAC1');
  const keyBytes = smallInteger(length);
  if (keyBytes < 1 || keyBytes > 64) throw new RangeError('not PBMAC1');
  return createHmac(hash, deriveKey(derivation, keyBytes, opening))
    .update(octets)
    .digest();
}

/** RFC 7292 appendix B.2, for a key no longer than one hash. */
function oldKey(
  hash: Hash,
  { password, salt, count }: { readonly password: Buffer; readonly salt: Buffer; readonly count: number },
): Buffer {
  const start = [Buffer.alloc(hash.block, forMac), filled(salt, hash.block), filled(password, hash.block)];
  let key = digest(hash.name, Buffer.concat(start), 'buffer');
  for (let round = 1; round < count; round++) key = digest(hash.name, key, 'buffer');
  return key.subarray(0, hash.bytes);
}

/** Repeated to a whole number of blocks. */
function filled(bytes: Buffer, block: number): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
}

/** BMPString with its two zero octets (RFC 7292 appendix B.1). */
function wide(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16();
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
