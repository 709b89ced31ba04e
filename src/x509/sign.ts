import { type KeyObject, sign } from 'node:crypto';
import type { KeyType } from '../core/types.ts';
import { bitString, der, oid, sequence } from './der.ts';

interface Algorithm {
  readonly hash: string;
  /** AlgorithmIdentifier. */
  readonly identifier: Buffer;
}

const rsa: Algorithm = { hash: 'sha256', identifier: sequence(oid('1.2.840.113549.1.1.11'), der(0x05)) };
const p256: Algorithm = { hash: 'sha256', identifier: sequence(oid('1.2.840.10045.4.3.2')) };
const p384: Algorithm = { hash: 'sha384', identifier: sequence(oid('1.2.840.10045.4.3.3')) };

export function signatureAlgorithm(keyType: KeyType): Algorithm {
  if (keyType === 'p256') return p256;
  return keyType === 'p384' ? p384 : rsa;
}

/** The three-part structure that requests and certificates share: content, algorithm, signature. */
export function signDer(content: Buffer, keyType: KeyType, privateKey: KeyObject): Buffer {
  const { hash, identifier } = signatureAlgorithm(keyType);
  return sequence(content, identifier, bitString(sign(hash, content, privateKey)));
}
