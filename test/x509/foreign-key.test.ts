import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { readForeignKey } from '../../src/x509/foreign-key.ts';
import { keyTypeOf } from '../../src/x509/key.ts';

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

function pem(key: typeof rsa, type: 'pkcs1' | 'pkcs8' | 'sec1'): string {
  return secret(key.export({ type, format: 'pem' }).toString()).reveal();
}

describe('a key of another client', () => {
  it.each([
    ['PKCS #8', pem(rsa, 'pkcs8'), 'rsa2048'],
    ['PKCS #1', pem(rsa, 'pkcs1'), 'rsa2048'],
    ['SEC 1', pem(ec('P-256'), 'sec1'), 'p256'],
    [
      'SEC 1 behind its parameters',
      `-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n${pem(ec('P-384'), 'sec1')}`,
      'p384',
    ],
    ['a JWK', JSON.stringify(rsa.export({ format: 'jwk' })), 'rsa2048'],
    ['a JWK of a curve', JSON.stringify(ec('P-256').export({ format: 'jwk' })), 'p256'],
  ])('is read from %s', (_, text, type) => {
    expect(keyTypeOf(readForeignKey(text))).toBe(type);
  });

  it.each([
    ['nothing', ''],
    ['other JSON', '{"kty": "oct", "k": "AAAA"}'],
    ['a public key', createPrivateKey(pem(rsa, 'pkcs8')).export({ format: 'jwk' }).n ?? ''],
    ['a curve that no CA takes', pem(ec('P-521'), 'pkcs8')],
    [
      'Ed25519',
      secret(
        generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ).reveal(),
    ],
    [
      'a key with a password',
      secret(
        rsa.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      ).reveal(),
    ],
  ])('is not taken from %s, and nothing of it is said', (_, text) => {
    expect(() => readForeignKey(text)).toThrow(expect.objectContaining({ code: 'command.invalid' }));
  });
});
