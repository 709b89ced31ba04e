import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ariCertId, readCertificate, sha256 } from '../../src/x509/certificate.ts';
import { integer, readDer } from '../../src/x509/der.ts';
import { createPki } from '../../src/x509/index.ts';
import { readPem, writePem } from '../../src/x509/pem.ts';
import { makeRoot, openssl, sign } from './openssl.ts';

const pki = createPki();
const san =
  'subjectAltName=DNS:Example.com,DNS:*.example.com,IP:192.0.2.7,IP:2001:db8::7,email:a@example.com';

async function issued(extensions: readonly string[], serial?: string) {
  const csr = pki.createCsr(['unused.example'], await pki.generateKey('p256'));
  const pem = sign(csr, makeRoot('Ré Test'), { extensions, ...(serial === undefined ? {} : { serial }) });
  const [bytes] = readPem(pem);
  if (!bytes) throw new Error('openssl made no certificate');
  return { pem, bytes, node: new X509Certificate(pem), ours: readCertificate(bytes) };
}

describe('facts of a certificate', () => {
  test('are those that Node and openssl see', async () => {
    const { pem, bytes, node, ours } = await issued([san, 'authorityKeyIdentifier=keyid']);
    expect(ours.names).toEqual(['example.com', '*.example.com', '192.0.2.7', '2001:db8::7']);
    expect(ours.notBefore).toBe(Date.parse(node.validFrom));
    expect(ours.notAfter).toBe(Date.parse(node.validTo));
    expect(ours.isCa).toBe(false);
    expect(ours.spkiDer.equals(node.publicKey.export({ type: 'spki', format: 'der' }))).toBe(true);
    const printed = openssl(['x509', '-in', 'in', '-noout', '-serial', '-fingerprint', '-sha256'], pem);
    expect(printed).toContain(`serial=${ours.serial.toUpperCase()}`);
    expect(printed.replaceAll(':', '').toLowerCase()).toContain(sha256(bytes));
  });

  test('tell the issuer by its common name, whatever the alphabet', async () => {
    const { ours } = await issued([san]);
    expect(ours.issuerName).toBe('Ré Test');
  });

  test('tell it without what would turn a line around or command a terminal', () => {
    const [root] = readPem(makeRoot('Root\u202eCA').pem);
    expect(readCertificate(root ?? Buffer.alloc(0)).issuerName).toBe('Root CA');
  });

  test('know a CA', () => {
    const [root] = readPem(makeRoot('Root').pem);
    expect(readCertificate(root ?? Buffer.alloc(0))).toMatchObject({
      isCa: true,
      issuerName: 'Root',
      names: [],
    });
  });
});

describe('the CertID of RFC 9773', () => {
  test('is that of the example in the RFC', () => {
    const authorityKeyId = Buffer.from('69885b6b87464041e1b37b847ba0ae2cde01c8d4', 'hex');
    const serialDer = readDer(integer(Buffer.from('87654321', 'hex'))).body;
    expect(ariCertId({ authorityKeyId, serialDer })).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
  });

  test('keeps the zero byte of a serial number whose first bit is set, which the printed one lacks', async () => {
    const { ours } = await issued([san, 'authorityKeyIdentifier=keyid'], '0087654321');
    expect(ours.serial).toBe('87654321');
    expect(ariCertId(ours)?.split('.')[1]).toBe('AIdlQyE');
    const keyId = ours.authorityKeyId?.toString('hex').toUpperCase().match(/../g)?.join(':');
    expect(
      openssl(['x509', '-in', 'in', '-noout', '-ext', 'authorityKeyIdentifier'], writePem(ours.der)),
    ).toContain(keyId);
  });

  test('has exactly the octets of the INTEGER for every serial number', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        fc.uint8Array({ minLength: 1, maxLength: 32 }),
        (serial, keyId) => {
          const serialDer = readDer(integer(serial)).body;
          const id = ariCertId({ authorityKeyId: Buffer.from(keyId), serialDer }) ?? '';
          const [key = '', number = ''] = id.split('.');
          expect(id).not.toMatch(/[=+/]/);
          expect(Buffer.from(key, 'base64url').equals(keyId)).toBe(true);
          const octets = Buffer.from(number, 'base64url');
          expect(BigInt(`0x${octets.toString('hex')}`)).toBe(
            BigInt(`0x${Buffer.from(serial).toString('hex')}`),
          );
          expect((octets[0] ?? 0xff) < 0x80).toBe(true);
          expect(octets.length === 1 || octets[0] !== 0 || (octets[1] ?? 0) >= 0x80).toBe(true);
        },
      ),
    );
  });

  test('is absent where the certificate does not name the key of its issuer', async () => {
    const { ours } = await issued([san, 'authorityKeyIdentifier=none']);
    expect(ariCertId(ours)).toBeUndefined();
  });
});

test('bytes that are no certificate are not read', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('3000', 'hex'), Buffer.from('hello')]) {
    expect(() => readCertificate(bytes)).toThrow(RangeError);
  }
});

describe('PEM', () => {
  test('comes back from any bytes, and is what openssl writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (bytes) => {
        expect(readPem(`text\n${writePem(bytes)}more`).map((block) => [...block])).toEqual([[...bytes]]);
      }),
    );
    const { pem } = makeRoot('Root');
    expect(writePem(readPem(pem)[0] ?? Buffer.alloc(0))).toBe(pem);
  });

  test('is read with the line ends of every system', () => {
    const { pem } = makeRoot('Root');
    expect(readPem(pem.replaceAll('\n', '\r\n'))).toEqual(readPem(pem));
  });

  test('takes only blocks of the label', () => {
    expect(readPem(writePem(Buffer.from([1]), 'PRIVATE KEY'))).toEqual([]);
  });
});
