import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSecretSearch } from './secret-search.ts';

const secret = randomBytes(32);
const find = createSecretSearch([randomBytes(32), secret]);

function encodingsIn(text: string | Buffer): string[] {
  return find(Buffer.from(text)).map((found) => `${found.secret} ${found.encoding}`);
}

describe('the search for secrets', () => {
  it('finds one raw, in hex, in base64 and in base64url', () => {
    const around = (text: string) => `before ${text} after`;
    expect(encodingsIn(Buffer.concat([Buffer.from('x'), secret, Buffer.from('y')]))).toEqual(['1 raw']);
    expect(encodingsIn(around(secret.toString('hex')))).toContain('1 hex');
    expect(encodingsIn(around(secret.toString('hex').toUpperCase()))).toContain('1 hex');
    expect(encodingsIn(around(secret.toString('base64')))).toContain('1 base64');
    expect(encodingsIn(around(secret.toString('base64url')))).toContain('1 base64url');
  });

  it('finds one inside of something larger that was encoded, at any offset', () => {
    for (const before of [1, 2, 3, 4, 5]) {
      const whole = Buffer.concat([randomBytes(before), secret, randomBytes(7)]);
      expect(encodingsIn(whole.toString('base64'))).toContain('1 base64');
    }
  });

  it('finds a key in PEM, with real line breaks and with those of JSON', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const findKey = createSecretSearch([privateKey.export({ type: 'pkcs8', format: 'der' })]);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(findKey(Buffer.from(pem))).not.toEqual([]);
    expect(findKey(Buffer.from(JSON.stringify({ pem })))).not.toEqual([]);
  });

  it('does not take one key for another, though all begin alike', () => {
    const der = () =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'der' });
    expect(createSecretSearch([der()])(Buffer.concat([der(), der()]))).toEqual([]);
  });

  it('ignores what is shorter than twelve bytes', () => {
    expect(createSecretSearch([Buffer.from('elevenbytes')])(Buffer.from('elevenbytes'))).toEqual([]);
  });
});
