import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readClientHello } from '../../src/edge/client-hello.ts';
import { proxyHeader } from '../../src/edge/proxy-protocol.ts';
import { fragmented, realHello } from './client-hello.ts';

let hello: Buffer;
beforeAll(async () => {
  hello = await realHello({ servername: 'WWW.example.com', ALPNProtocols: ['acme-tls/1', 'h2'] });
});

const wanted = {
  is: 'hello',
  hello: { serverName: 'www.example.com', protocols: ['acme-tls/1', 'h2'] },
};

describe('a ClientHello', () => {
  test('of a real client tells name and protocols', () => {
    expect(readClientHello(hello)).toEqual(wanted);
  });

  test('without a name or protocols has none', async () => {
    const bare = await realHello({ servername: '' });
    expect(readClientHello(bare)).toEqual({ is: 'hello', hello: { serverName: undefined, protocols: [] } });
  });

  test('is read from records of any size', () => {
    for (const size of [1, 2, 3, 5, 100, 16_384])
      expect(readClientHello(fragmented(hello, size))).toEqual(wanted);
  });

  test('that has not come whole asks for more than there is, and never for too much', () => {
    for (let length = 0; length < hello.length; length++) {
      const reading = readClientHello(hello.subarray(0, length));
      expect(reading.is).toBe('more');
      if (reading.is !== 'more') continue;
      expect(reading.atLeast).toBeGreaterThan(length);
      expect(reading.atLeast).toBeLessThanOrEqual(hello.length);
    }
  });

  test.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'foreign'],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 0, 2]), 'foreign'],
    ['one byte of something else', Buffer.from('S'), 'foreign'],
    ['an alert after the first record', Buffer.from([22, 3, 1, 0, 1, 1, 21, 3, 3, 0, 2, 2, 40]), 'malformed'],
    ['a ServerHello', Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0]), 'malformed'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'malformed'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0xff, 0xff]), 'malformed'],
    ['a message that ends within a field', Buffer.from([22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3]), 'malformed'],
  ])('%s is none', (_, bytes, is) => {
    expect(readClientHello(bytes)).toEqual({ is });
  });

  test('with bytes changed, cut out or put in is read or refused, never thrown at', () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat({ max: 2000 }),
        byte: fc.nat({ max: 255 }),
        how: fc.constantFrom('set', 'cut', 'add'),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(edits, (list) => {
        const bytes = [...hello];
        for (const { at, byte, how } of list)
          bytes.splice(at % bytes.length, how === 'add' ? 0 : 1, ...(how === 'cut' ? [] : [byte]));
        const reading = readClientHello(Buffer.from(bytes));
        if (reading.is === 'more') expect(reading.atLeast).toBeGreaterThan(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the header of the PROXY protocol', () => {
  const signature = '0d0a0d0a000d0a515549540a';

  test.each([
    [
      'IPv4',
      { remoteAddress: '192.0.2.7', remotePort: 0x1234, localAddress: '198.51.100.1', localPort: 443 },
      `${signature}2111000cc0000207c6336401123401bb`,
    ],
    [
      'IPv4 on a listener for both',
      { remoteAddress: '::ffff:192.0.2.7', remotePort: 1, localAddress: '::ffff:198.51.100.1', localPort: 2 },
      `${signature}2111000cc0000207c633640100010002`,
    ],
    [
      'IPv6',
      { remoteAddress: '2001:db8::7', remotePort: 1, localAddress: 'fe80::1%eth0', localPort: 2 },
      `${signature}2121002420010db8000000000000000000000007fe80000000000000000000000000000100010002`,
    ],
    ['a connection that is gone', {}, `${signature}20000000`],
  ])('for %s', (_, ends, hex) => {
    expect(proxyHeader(ends).toString('hex')).toBe(hex);
  });
});
