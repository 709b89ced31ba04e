import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { AgentError } from '../core/errors.ts';
import { type Secret, secret } from '../core/secret.ts';
import type { KeyType } from '../core/types.ts';
import { bitString, children, type DerNode, readDer, readOid, sequence } from './der.ts';

const ecPublicKey = '1.2.840.10045.2.1';
const rsaEncryption = '1.2.840.113549.1.1.1';
const curves: Readonly<
  Record<string, { readonly type: KeyType; readonly jwk: string; readonly size: number }>
> = {
  '1.2.840.10045.3.1.7': { type: 'p256', jwk: 'P-256', size: 32 },
  '1.3.132.0.34': { type: 'p384', jwk: 'P-384', size: 48 },
};
const bits = { rsa2048: 2048, rsa3072: 3072, rsa4096: 4096 } as const;

const generateRsa = promisify(generateKeyPair);

/** PKCS #8 DER. RSA is made in a thread of the pool: it takes a tenth of a second and more. */
export async function generateKey(keyType: KeyType): Promise<Secret<Uint8Array>> {
  if (keyType === 'p256' || keyType === 'p384') {
    // To encode the public key too, as the generator would, takes OpenSSL longer than to make both.
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: keyType === 'p256' ? 'P-256' : 'P-384' });
    return secret<Uint8Array>(privateKey.export({ type: 'pkcs8', format: 'der' }));
  }
  const { privateKey } = await generateRsa('rsa', {
    modulusLength: bits[keyType],
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  return secret<Uint8Array>(privateKey);
}

/** Throws `command.invalid` for a key of a kind that no CA accepts. */
export function keyTypeOf(privateKey: Secret<Uint8Array>): KeyType {
  return keyTypeOfSpki(publicKeyOf(privateKey));
}

/** Kind of a SubjectPublicKeyInfo. Throws `command.invalid` for one that no CA accepts. */
export function keyTypeOfSpki(spkiDer: Uint8Array): KeyType {
  const type = readSafely(() => readKeyType(readDer(spkiDer)));
  if (type !== undefined) return type;
  throw new AgentError(
    'command.invalid',
    'the key is not ECDSA P-256 or P-384, nor RSA of 2048, 3072 or 4096 bits',
  );
}

/** SubjectPublicKeyInfo DER of a private key, as its own record says. */
export function publicKeyOf(privateKey: Secret<Uint8Array>): Buffer {
  return readSafely(() => {
    const { algorithm, key } = readPkcs8(privateKey);
    const publicKey = publicPart(algorithmName(algorithm), key);
    if (publicKey) return sequence(algorithm.whole, bitString(publicKey));
    return createPublicKey(loadKey(privateKey)).export({ type: 'spki', format: 'der' });
  });
}

/** SHA-256 of the public key, lower-case hex. */
export function keyIdOf(privateKey: Secret<Uint8Array>): string {
  return createHash('sha256').update(publicKeyOf(privateKey)).digest('hex');
}

/** For signing. */
export function loadKey(privateKey: Secret<Uint8Array>): KeyObject {
  return readSafely(() => {
    const { algorithm, key } = readPkcs8(privateKey);
    // OpenSSL 3 takes five times as long to decode PKCS #8 as to take the numbers.
    const jwk = algorithmName(algorithm) === ecPublicKey ? ecJwk(algorithm, key) : undefined;
    if (jwk) return createPrivateKey({ key: jwk, format: 'jwk' });
    return createPrivateKey({ key: Buffer.from(privateKey.reveal()), format: 'der', type: 'pkcs8' });
  });
}

/** What the reader or OpenSSL says of the bytes of a key is nobody's business. */
function readSafely<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError('command.invalid', 'the private key is not PKCS #8 DER');
  }
}

function readKeyType(spki: DerNode): KeyType | undefined {
  const [algorithm, key] = children(spki);
  if (!algorithm || !key) return undefined;
  const name = algorithmName(algorithm);
  const parameters = children(algorithm)[1];
  if (name === ecPublicKey && parameters) return curves[readOid(parameters.body)]?.type;
  if (name !== rsaEncryption) return undefined;
  const size = modulusBits(readDer(key.body, 1));
  return (['rsa2048', 'rsa3072', 'rsa4096'] as const).find((type) => bits[type] === size);
}

/** What an SPKI's bit string holds: an EC point, or modulus and exponent. */
function publicPart(algorithm: string | undefined, key: DerNode): Buffer | undefined {
  if (algorithm === ecPublicKey) return publicPoint(children(key));
  if (algorithm !== rsaEncryption) return undefined;
  const [, modulus, exponent] = children(key);
  return modulus && exponent && sequence(modulus.whole, exponent.whole);
}

function ecJwk(algorithm: DerNode, key: DerNode): JsonWebKey | undefined {
  const parameters = children(algorithm)[1];
  const curve = parameters && curves[readOid(parameters.body)];
  const [, d, ...rest] = children(key);
  // Read by OpenSSL all the same, after which Node ends the process as soon as it is asked about the key.
  if (curve && d && d.body.length > curve.size) throw new RangeError('longer than the numbers of its curve');
  const point = publicPoint(rest);
  if (!curve || !d || !point) return undefined;
  return {
    kty: 'EC',
    crv: curve.jwk,
    d: d.body.toString('base64url'),
    x: point.subarray(1, 1 + curve.size).toString('base64url'),
    y: point.subarray(1 + curve.size).toString('base64url'),
  };
}

/** RFC 5958: version, algorithm, and the key in the algorithm's own structure. */
function readPkcs8(privateKey: Secret<Uint8Array>): { readonly algorithm: DerNode; readonly key: DerNode } {
  const [, algorithm, octets] = children(readDer(privateKey.reveal()));
  if (!algorithm || !octets) throw new RangeError('not PKCS #8');
  return { algorithm, key: readDer(octets.body) };
}

function algorithmName(algorithm: DerNode): string | undefined {
  const [name] = children(algorithm);
  return name && readOid(name.body);
}

/** RFC 5915 `[1] publicKey`, uncompressed; optional there. */
function publicPoint(fields: readonly DerNode[]): Buffer | undefined {
  const wrapped = fields.find((field) => field.tag === 0xa1);
  const point = wrapped && readDer(wrapped.body).body.subarray(1);
  return point?.[0] === 4 ? point : undefined;
}

function modulusBits(rsaPublicKey: DerNode): number {
  const modulus = children(rsaPublicKey)[0]?.body ?? Buffer.alloc(0);
  const start = modulus[0] === 0 ? 1 : 0;
  return (modulus.length - start) * 8 - Math.clz32(modulus[start] ?? 0) + 24;
}
