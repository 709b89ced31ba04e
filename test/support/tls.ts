import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate authority for test listeners, made without any program or library. */
export interface TestAuthority {
  readonly certificatePem: string;
  issue(names: readonly string[]): { readonly certificatePem: string; readonly privateKeyPem: string };
}

const oids = {
  commonName: '550403',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  ecdsaWithSha256: '2a8648ce3d040302',
};
const dayMs = 86_400_000;

export function createAuthority(name = 'acme-agent test authority'): TestAuthority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificatePem = certificate({
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signer: keys.privateKey,
  });
  return {
    certificatePem,
    issue(names) {
      const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return {
        privateKeyPem: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        certificatePem: certificate({
          subject: names[0] ?? 'localhost',
          issuer: name,
          publicKey: leaf.publicKey,
          signer: keys.privateKey,
          names,
        }),
      };
    },
  };
}

interface Request {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  /** Of a server; absent: a CA certificate. */
  readonly names?: readonly string[] | undefined;
}

function certificate(request: Request): string {
  const algorithm = sequence(oid(oids.ecdsaWithSha256));
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    algorithm,
    distinguishedName(request.issuer),
    sequence(generalizedTime(now - dayMs), generalizedTime(now + 365 * dayMs)),
    distinguishedName(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(request.names))),
  );
  const signature = sign('sha256', body, request.signer);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensions(names: readonly string[] | undefined): Buffer[] {
  const yes = der(0x01, Buffer.from([0xff]));
  if (names === undefined) {
    const certSign = der(0x03, Buffer.from([0x02, 0x04]));
    return [
      sequence(oid(oids.basicConstraints), yes, octets(sequence(yes))),
      sequence(oid(oids.keyUsage), yes, octets(certSign)),
    ];
  }
  return [sequence(oid(oids.subjectAltName), octets(sequence(...names.map(generalName))))];
}

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  return der(0x82, Buffer.from(name, 'ascii'));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(oids.commonName), der(0x0c, Buffer.from(commonName)))));
}

function generalizedTime(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
  return der(0x18, Buffer.from(`${digits}Z`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function octets(content: Buffer): Buffer {
  return der(0x04, content);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}
