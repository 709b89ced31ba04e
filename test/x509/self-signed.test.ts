import { X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../src/x509/certificate.ts';
import { createPki } from '../../src/x509/index.ts';
import { writePem } from '../../src/x509/pem.ts';
import { selfSignedOrganization } from '../../src/x509/self-signed.ts';
import { openssl } from './openssl.ts';

const pki = createPki();
const notBefore = Date.UTC(2026, 0, 1);
const notAfter = Date.UTC(2051, 0, 1);
const names = ['example.com', '*.example.com', '192.0.2.7', '2001:db8::7'];

describe('a self-signed certificate', () => {
  test.each(['p256', 'p384', 'rsa2048'] as const)(
    'with a %s key is well formed and marked as ours',
    async (keyType) => {
      const key = await pki.generateKey(keyType);
      const facts = pki.selfSigned(names, key, { notBefore, notAfter });
      expect(facts).toMatchObject({
        names,
        keyType,
        notBefore,
        notAfter,
        chainDer: [],
        issuerName: 'acme-agent self-signed',
        ariCertId: undefined,
      });
      expect(facts.fingerprint).toBe(sha256(facts.leafDer));
      const node = new X509Certificate(Buffer.from(facts.leafDer));
      expect(node.verify(node.publicKey)).toBe(true);
      expect(node.subject).toBe(`O=${selfSignedOrganization}`);
      const text = openssl(['x509', '-in', 'in', '-noout', '-text'], writePem(facts.leafDer));
      expect(text).toContain('CA:FALSE');
      expect(text).toContain('TLS Web Server Authentication');
      expect(text).toContain('Digital Signature');
      expect(text).toContain('Subject Key Identifier');
    },
  );

  test('has a serial number of its own', async () => {
    const key = await pki.generateKey('p256');
    const serials = Array.from(
      { length: 50 },
      () => pki.selfSigned(['a.example'], key, { notBefore, notAfter }).serial,
    );
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  test('serves TLS, and a client that trusts it sees the name', async () => {
    const key = await pki.generateKey('p256');
    const { leafDer } = pki.selfSigned(['host.example'], key, { notBefore, notAfter });
    const cert = writePem(leafDer);
    const server = createServer({ cert, key: writePem(key.reveal(), 'PRIVATE KEY') }, (socket) =>
      socket.end(),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen on TCP');
    const authorized = await new Promise<boolean>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: address.port, ca: cert, servername: 'host.example' };
      const socket = connect(options, () => {
        resolve(socket.authorized);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    server.close();
    expect(authorized).toBe(true);
  });
});
