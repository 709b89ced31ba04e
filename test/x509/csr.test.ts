import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { children, readDer } from '../../src/x509/der.ts';
import { createPki } from '../../src/x509/index.ts';
import { canonicalName, readNames, subjectAltName } from '../../src/x509/names.ts';
import { openssl } from './openssl.ts';

const pki = createPki();

describe('a request', () => {
  test.each(['p256', 'p384', 'rsa2048'] as const)(
    'with a %s key is signed right and has only a SAN',
    async (keyType) => {
      const key = await pki.generateKey(keyType);
      const csr = pki.createCsr(['example.com', '*.example.com', '192.0.2.7', '2001:db8::7'], key);
      const text = openssl(['req', '-inform', 'DER', '-in', 'in', '-noout', '-text', '-verify'], csr);
      expect(text).toMatch(/Subject: *\n/);
      expect(text).toContain(
        'DNS:example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7',
      );
      expect(text.match(/X509v3/g)).toHaveLength(1);
      const publicKey = openssl(['req', '-inform', 'DER', '-in', 'in', '-noout', '-pubkey'], csr);
      expect(publicKey).toBe(openssl(['pkey', '-inform', 'DER', '-in', 'in', '-pubout'], key.reveal()));
    },
  );

  test('of a hundred long names is whole', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `${'label.'.repeat(30)}n${index}.example.com`);
    const csr = pki.createCsr(names, await pki.generateKey('p256'));
    const text = openssl(['req', '-inform', 'DER', '-in', 'in', '-noout', '-text', '-verify'], csr);
    expect(text.match(/DNS:/g)).toHaveLength(100);
  });
});

describe('names', () => {
  test('of all kinds come back from a SAN as they were canonically', () => {
    const name = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(fc.array(name, { maxLength: 20 }), (names) => {
        const value = children(readDer(subjectAltName(names))).at(-1)?.body ?? Buffer.alloc(0);
        expect(readNames(readDer(value))).toEqual(names.map(canonicalName));
      }),
    );
  });

  test('have one form each', () => {
    expect(canonicalName('2001:0DB8:0:0:0:0:0:1')).toBe('2001:db8::1');
    expect(canonicalName('::')).toBe('::');
    expect(canonicalName('Example.COM')).toBe('example.com');
    expect(canonicalName('192.0.2.1')).toBe('192.0.2.1');
  });
});
