import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { challengeCertificate } from '../../src/x509/alpn.ts';
import { publicKeyOf } from '../../src/x509/key.ts';
import { openssl } from './openssl.ts';

const now = Date.UTC(2026, 10, 21, 12);
const keyAuthorization = 'LoqXcYV8.9jg46WB3rR';
const digest = createHash('sha256').update(keyAuthorization).digest('hex');

describe('the certificate that answers tls-alpn-01', () => {
  test.each([
    ['www.example.com', 'DNS:www.example.com'],
    ['192.0.2.7', 'IP Address:192.0.2.7'],
    ['2001:db8::7', 'IP Address:2001:DB8:0:0:0:0:0:7'],
  ])('is for %s alone, self-signed and short-lived', async (identifier, san) => {
    const { certificateDer, privateKey } = await challengeCertificate(identifier, keyAuthorization, now);
    const read = new X509Certificate(certificateDer);
    expect(read.subjectAltName).toBe(san);
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.publicKey.export({ type: 'spki', format: 'der' })).toEqual(publicKeyOf(privateKey));
    expect(Date.parse(read.validFrom)).toBeLessThan(now);
    expect(Date.parse(read.validTo)).toBeGreaterThan(now);
    expect(Date.parse(read.validTo) - Date.parse(read.validFrom)).toBeLessThanOrEqual(2 * 86_400_000);
  });

  test('holds the digest of the key authorization in the critical extension acmeIdentifier', async () => {
    const { certificateDer } = await challengeCertificate('www.example.com', keyAuthorization, now);
    const text = openssl(['x509', '-inform', 'DER', '-in', 'in', '-noout', '-text'], certificateDer);
    const printed = text.match(/1\.3\.6\.1\.5\.5\.7\.1\.31: critical\s+(\S.*)/);
    expect(printed).not.toBeNull();
    const lines = openssl(['asn1parse', '-inform', 'DER', '-in', 'in'], certificateDer).split('\n');
    const at = lines.findIndex((line) => /1\.3\.6\.1\.5\.5\.7\.1\.31|acmeIdentifier/.test(line));
    expect(lines[at + 1]).toMatch(/BOOLEAN\s+:255/);
    expect(lines[at + 2]).toMatch(new RegExp(`OCTET STRING\\s+\\[HEX DUMP\\]:0420${digest}`, 'i'));
  });

  test('has another key each time', async () => {
    const [one, other] = await Promise.all(
      [1, 2].map(() => challengeCertificate('www.example.com', keyAuthorization, now)),
    );
    expect(one?.certificateDer.equals(other?.certificateDer ?? Buffer.alloc(0))).toBe(false);
  });
});
