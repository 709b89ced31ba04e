import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signMessage, type TsigKey, verifyReply } from '../../src/dns/tsig.ts';
import { encodeUpdate } from '../../src/dns/wire.ts';

const now = 1_800_000_000_000;
const key: TsigKey = { name: 'acme-key', algorithm: 'hmac-sha256', secret: randomBytes(32) };

describe.each(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const)('a signature with %s', (algorithm) => {
  it('appends one record that carries time, original id and a whole digest', () => {
    const plain = encodeUpdate('example.test', []);
    const { message, mac } = signMessage(plain, { ...key, algorithm }, now);
    expect(mac).toHaveLength(Number(algorithm.slice(-3)) / 8);
    expect(message.readUInt16BE(10)).toBe(1);
    expect(message.subarray(12, plain.length)).toEqual(plain.subarray(12));
    expect(message.toString('hex', plain.length)).toBe(
      [
        wireName('acme-key'),
        '00fa00ff00000000',
        hex16(wireName(algorithm).length / 2 + 16 + mac.length),
        wireName(algorithm),
        (now / 1000).toString(16).padStart(12, '0'),
        hex16(300),
        hex16(mac.length),
        mac.toString('hex'),
        plain.toString('hex', 0, 2),
        '00000000',
      ].join(''),
    );
  });
});

describe('the answer to a signed message', () => {
  const requestMac = randomBytes(32);
  const plain = encodeUpdate('example.test', []);

  it('is unsigned when it has no such record', () => {
    expect(verifyReply(plain, key, { requestMac, now })).toEqual({ kind: 'unsigned' });
  });

  it('is forged when its signature does not cover the request', () => {
    const { message } = signMessage(plain, key, now);
    const verdict = verifyReply(message, key, { requestMac, now });
    expect(verdict).toEqual({ kind: 'forged', reason: 'the signature of the answer is wrong' });
  });

  it('is forged when another key signed it', () => {
    const { message } = signMessage(plain, { ...key, name: 'other' }, now);
    expect(verifyReply(message, key, { requestMac, now })).toMatchObject({ kind: 'forged', reason: /other/ });
  });

  it('is forged when it is malformed or loops', () => {
    const { message } = signMessage(plain, key, now);
    for (let length = 0; length < message.length; length++) {
      expect(['forged', 'unsigned']).toContain(
        verifyReply(message.subarray(0, length), key, { requestMac, now }).kind,
      );
    }
    const looping = Buffer.from(message);
    looping.writeUInt16BE(0xc00c, 12);
    expect(verifyReply(looping, key, { requestMac, now }).kind).toBe('forged');
  });

  it('is refused when the server says so, with the time it has', () => {
    const { message, mac } = signMessage(plain, key, now);
    const time = Buffer.alloc(6);
    time.writeUIntBE(now / 1000 + 3600, 0, 6);
    const rdata = plain.length + wireName('acme-key').length / 2 + 10;
    const refused = Buffer.concat([message.subarray(0, -4), Buffer.from([0, 18, 0, 6]), time]);
    refused.writeUInt16BE(refused.length - rdata, rdata - 2);
    const verdict = verifyReply(refused, key, { requestMac: mac, now });
    expect(verdict).toEqual({ kind: 'refused', error: 'BADTIME', serverTime: now + 3_600_000 });
  });
});

function wireName(name: string): string {
  return `${Buffer.from([name.length]).toString('hex')}${Buffer.from(name).toString('hex')}00`;
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}
