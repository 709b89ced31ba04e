import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readCrl } from '../../src/x509/crl.ts';
import { createCsr } from '../../src/x509/csr.ts';
import { generateKey } from '../../src/x509/key.ts';
import { readPem } from '../../src/x509/pem.ts';
import { makeCa, makeCrl, makeRoot, openssl, sign } from './openssl.ts';

const url = 'http://crl.ca.test/1.crl';
const now = Date.now();
const ca = makeRoot('Lists');
const rsaCa = makeCa('RSA lists', ca);
const pss = ['rsa_padding_mode:pss'];
const rsaImpostor = makeCa('RSA lists', ca);

const derOf = (pem: string, label = 'X509 CRL') => readPem(pem, label)[0] ?? Buffer.alloc(0);
const issuerDer = derOf(ca.pem, 'CERTIFICATE');
const expected = { url, issuerDer, serials: ['0a', 'ff01', '99'], now };
const revoked = [
  ['0A', 'keyCompromise'],
  ['0B', 'superseded'],
  ['FF01', 'unspecified'],
] as const;

describe('a list of revoked certificates that openssl made', () => {
  test('names those of ours that are in it, with reason and date', () => {
    const list = readCrl(derOf(makeCrl(ca, { revoked })), expected);
    const revokedAt = Date.UTC(2026, 10, 1);
    expect(list.revoked).toEqual([
      { serial: '0a', revokedAt, reason: 'keyCompromise' },
      { serial: 'ff01', revokedAt, reason: 'unspecified' },
    ]);
    expect(Math.abs(list.thisUpdate - now)).toBeLessThan(120_000);
    expect(Math.abs((list.nextUpdate ?? 0) - now - 86_400_000)).toBeLessThan(120_000);
  });

  test('may be PEM, which private CAs like to serve', () => {
    expect(readCrl(Buffer.from(makeCrl(ca, { revoked })), expected).revoked).toHaveLength(2);
  });

  test('may be empty', () => {
    expect(readCrl(derOf(makeCrl(ca)), expected).revoked).toEqual([]);
  });

  test.each(['sha256', 'sha384', 'sha512'])('is verified with ECDSA and RSA over %s', (md) => {
    const byRsa = { ...expected, issuerDer: derOf(rsaCa.pem, 'CERTIFICATE') };
    expect(readCrl(derOf(makeCrl(ca, { revoked, md })), expected).revoked).toHaveLength(2);
    expect(readCrl(derOf(makeCrl(rsaCa, { revoked, md })), byRsa).revoked).toHaveLength(2);
  });

  test.each([
    ['sha256', '32'],
    ['sha384', 'max'],
    ['sha512', '0'],
    ['sha256', '20'],
  ])('is verified with RSA-PSS over %s and a salt of %s octets', (md, salt) => {
    const by = { ...expected, issuerDer: derOf(rsaCa.pem, 'CERTIFICATE') };
    const der = derOf(makeCrl(rsaCa, { revoked, md, sigopt: [...pss, `rsa_pss_saltlen:${salt}`] }));
    expect(readCrl(der, by).revoked).toHaveLength(2);
    const changed = Buffer.from(der);
    changed.writeUInt8(changed.readUInt8(der.length - 1) ^ 1, der.length - 1);
    expect(() => readCrl(changed, by)).toThrow(/valid signature/);
    expect(() => readCrl(derOf(makeCrl(rsaImpostor, { revoked, md, sigopt: pss })), by)).toThrow(
      /valid signature/,
    );
  });

  test('signed with RSA-PSS by a key that is for nothing else is verified', () => {
    const caKey = openssl(['genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048']);
    const pssCa = makeCa('PSS lists', ca, { keyPem: caKey });
    const by = { ...expected, issuerDer: derOf(pssCa.pem, 'CERTIFICATE') };
    expect(readCrl(derOf(makeCrl(pssCa, { revoked })), by).revoked).toHaveLength(2);
  });

  test.each([
    ['SHA-1', 'sha1', []],
    ['two hashes', 'sha256', ['rsa_mgf1_md:sha512']],
  ])('with RSA-PSS over %s is refused', (_, md, more) => {
    const by = { ...expected, issuerDer: derOf(rsaCa.pem, 'CERTIFICATE') };
    const der = derOf(makeCrl(rsaCa, { revoked, md, sigopt: [...pss, ...more] }));
    expect(() => readCrl(der, by)).toThrow(/not known here/);
  });

  test('is refused with the signature of another key, and with another CA as its issuer', () => {
    const impostor = makeRoot('Lists');
    expect(() => readCrl(derOf(makeCrl(impostor, { revoked })), expected)).toThrow(/valid signature/);
    expect(() => readCrl(derOf(makeCrl(rsaCa, { revoked })), expected)).toThrow(/not that of the CA/);
  });

  test('is refused when any of its bits is another one', () => {
    const der = derOf(makeCrl(ca, { revoked }));
    for (let bit = 0; bit < der.length * 8; bit++) {
      const changed = Buffer.from(der);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const refused = expect.objectContaining({ code: 'acme.response' });
      expect(() => readCrl(changed, expected), `bit ${bit}`).toThrow(refused);
    }
  });

  test('is refused when it ends early, or is something else altogether', () => {
    const der = derOf(makeCrl(ca, { revoked }));
    const refused = (bytes: Uint8Array): void => {
      expect(() => readCrl(bytes, expected)).toThrow(expect.objectContaining({ code: 'acme.response' }));
    };
    for (let length = 0; length < der.length; length++) refused(der.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), refused));
    refused(Buffer.from('<!doctype html><title>captive portal</title>'));
  });

  test('past its next update still counts; dated in the future it does not', () => {
    const der = derOf(makeCrl(ca, { revoked, hours: 1 }));
    expect(readCrl(der, { ...expected, now: now + 30 * 86_400_000 }).revoked).toHaveLength(2);
    expect(() => readCrl(der, { ...expected, now: now - 2 * 86_400_000 })).toThrow(/to come/);
  });

  test('for another place, other certificates, or with an unknown critical extension is refused', () => {
    const scope = (value: string) => derOf(makeCrl(ca, { revoked, extensions: [value] }));
    const at = (...lines: readonly string[]) =>
      derOf(
        makeCrl(ca, { revoked, extensions: ['issuingDistributionPoint=critical,@idp', '[idp]', ...lines] }),
      );
    expect(readCrl(at(`fullname=URI:${url}`, 'onlyuser=TRUE'), expected).revoked).toHaveLength(2);
    expect(() => readCrl(at('fullname=URI:http://crl.ca.test/2.crl'), expected)).toThrow(/another place/);
    expect(() => readCrl(at(`fullname=URI:${url}`, 'onlyCA=TRUE'), expected)).toThrow(/other certificates/);
    expect(() => readCrl(at(`fullname=URI:${url}`, 'indirectCRL=TRUE'), expected)).toThrow(
      /other certificates/,
    );
    expect(() => readCrl(scope('1.2.3.4=critical,ASN1:NULL'), expected)).toThrow(
      /not known here, 1\.2\.3\.4/,
    );
  });
});

test('a list of a hundred thousand is searched in a moment', () => {
  const many = Array.from({ length: 100_000 }, (_, index) => [
    (0x100000 + index).toString(16).toUpperCase().padStart(8, '0'),
    'unspecified',
  ]) as readonly (readonly [string, string])[];
  const der = derOf(makeCrl(ca, { revoked: many }));
  const began = performance.now();
  const list = readCrl(der, { ...expected, serials: ['100000', (0x100000 + 99_999).toString(16)] });
  expect(list.revoked).toHaveLength(2);
  expect(performance.now() - began).toBeLessThan(5_000);
});

describe('where a CA publishes what it revoked', () => {
  const point = async (lines: readonly string[]) => {
    const csr = createCsr(['a.example.com'], await generateKey('p256'));
    const pem = sign(csr, ca, { extensions: ['subjectAltName=DNS:a.example.com', ...lines] });
    return readCertificate(derOf(pem, 'CERTIFICATE')).crlUrl;
  };

  test('is read from a certificate: the first address of the web', async () => {
    expect(await point([`crlDistributionPoints=URI:ldap://x/y,URI:${url},URI:http://b.test/`])).toBe(url);
  });

  test('is not known where there is none, or one for some reasons or of another CA only', async () => {
    expect(await point([])).toBeUndefined();
    expect(await point(['crlDistributionPoints=URI:ldap://x/y'])).toBeUndefined();
    const lines = ['crlDistributionPoints=dp', '[dp]', `fullname=URI:${url}`, 'reasons=keyCompromise'];
    expect(await point(lines)).toBeUndefined();
  });
});
