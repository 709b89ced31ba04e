import type { Pki } from '../core/ports.ts';
import { readIssued } from './chain.ts';
import { createCsr } from './csr.ts';
import { generateKey, keyIdOf, keyTypeOf } from './key.ts';
import { selfSigned } from './self-signed.ts';

export function createPki(): Pki {
  return { generateKey, keyType: keyTypeOf, keyId: keyIdOf, createCsr, readIssued, selfSigned };
}
