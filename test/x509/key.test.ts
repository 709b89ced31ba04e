import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import type { KeyType } from '../../src/core/types.ts';
import { readForeignKey } from '../../src/x509/foreign-key.ts';
import { createPki } from '../../src/x509/index.ts';
import { loadKey, publicKeyOf } from '../../src/x509/key.ts';
import { writePem } from '../../src/x509/pem.ts';
import { openssl } from './openssl.ts';

const pki = createPki();
const keyTypes: readonly KeyType[] = ['p256', 'p384', 'rsa2048', 'rsa3072'];

describe('keys', () => {
  test.each(keyTypes)('a %s key is what it says, for us, for Node and for openssl', async (keyType) => {
    const key = await pki.generateKey(keyType);
    expect(pki.keyType(key)).toBe(keyType);
    const node = createPrivateKey({ key: Buffer.from(key.reveal()), format: 'der', type: 'pkcs8' });
    expect(publicKeyOf(key).equals(createPublicKey(node).export({ type: 'spki', format: 'der' }))).toBe(true);
    const data = Buffer.from('signed');
    expect(verify('sha256', data, createPublicKey(node), sign('sha256', data, loadKey(key)))).toBe(true);
    expect(openssl(['pkey', '-inform', 'DER', '-in', 'in', '-check', '-noout'], key.reveal())).toMatch(
      /valid/,
    );
  });

  test('a P-256 key without its public part (RFC 5915) is read all the same', () => {
    const pem = openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    const full = createPrivateKey(pem);
    const d = Buffer.from(full.export({ format: 'jwk' }).d ?? '', 'base64url');
    const short = Buffer.concat([
      Buffer.from('3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420', 'hex'),
      d,
    ]);
    const key = secret<Uint8Array>(short);
    expect(pki.keyType(key)).toBe('p256');
    expect(publicKeyOf(key).equals(createPublicKey(full).export({ type: 'spki', format: 'der' }))).toBe(true);
  });

  test('kinds of keys that no CA takes are refused', () => {
    const pairs = [
      generateKeyPairSync('ec', { namedCurve: 'P-521' }),
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
    ];
    for (const { privateKey } of pairs) {
      const key = secret<Uint8Array>(privateKey.export({ type: 'pkcs8', format: 'der' }));
      expect(() => pki.keyType(key)).toThrow(expect.objectContaining({ code: 'command.invalid' }));
    }
  });

  test('bytes that are no key are refused without quoting them', () => {
    for (const bytes of ['', 'hunter2 hunter2', '0\u0003\u0002\u0001\u0000']) {
      const key = secret<Uint8Array>(Buffer.from(bytes, 'latin1'));
      const error = caught(() => pki.keyType(key));
      expect(error).toMatchObject({ code: 'command.invalid' });
      expect(inspect(error, { depth: 5 })).not.toContain('hunter2');
    }
  });
});

test('a key whose number is longer than its curve allows is refused, and does not end the process', async () => {
  const damaged = Buffer.from((await pki.generateKey('p256')).reveal());
  expect(damaged.subarray(34, 36)).toEqual(Buffer.from([0x04, 0x20]));
  damaged[35] = 0x66;
  expect(() => loadKey(secret<Uint8Array>(damaged))).toThrow(
    expect.objectContaining({ code: 'command.invalid' }),
  );
  const pem = writePem(damaged, 'PRIVATE KEY');
  expect(() => readForeignKey(pem)).toThrow(expect.objectContaining({ code: 'command.invalid' }));
});

test('a key with any byte changed is read or refused with an error of ours', async () => {
  for (const keyType of ['p256', 'rsa2048'] as const) {
    const good = (await pki.generateKey(keyType)).reveal();
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const bad = Buffer.from(good);
        bad[index] = (bad[index] ?? 0) ^ mask;
        try {
          const key = secret<Uint8Array>(bad);
          pki.keyType(key);
          loadKey(key);
        } catch (error) {
          expect(error).toMatchObject({ code: 'command.invalid' });
        }
      }),
      { numRuns: 300 },
    );
  }
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
