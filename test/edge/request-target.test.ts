import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRequestTarget, urlHost } from '../../src/edge/request-target.ts';

function read(url: string, ...host: readonly string[]) {
  return readRequestTarget({ url, headersDistinct: { host: [...host] } } as unknown as IncomingMessage);
}

/** Text of what could lead elsewhere, and of anything else. */
const odd = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        ...[
          'http://',
          'HTTPS://',
          '//',
          '/',
          '@',
          ':',
          ':80',
          '.',
          '%2e',
          '%0d%0a',
          '\r\n',
          '\\',
          '?',
          '#',
          ' ',
        ],
        ...['www.example.com', 'evil.test', '[::1]', '192.0.2.7', '*', 'é', '\u0000', '\uff0e', ';', ','],
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('')),
);

test('whatever a client writes, the place that it is sent to is one host, with a path', () => {
  fc.assert(
    fc.property(odd, odd, (url, host) => {
      const target = read(url, host);
      if (target === undefined) return;
      const location = `https://${urlHost(target.host)}${target.path}`;
      expect(location).toMatch(/^https:\/\/[a-z0-9.:[\]-]+\/[\x21-\x7e]*$/);
      const at = new URL(location);
      expect(at.hostname).toBe(urlHost(target.host));
      expect(`${at.username}${at.password}${at.port}`).toBe('');
    }),
    { numRuns: 2_000 },
  );
});

test('what reads as a host and a path is read so', () => {
  expect(read('/a?b', 'WWW.Example.com.:8080')).toEqual({ host: 'www.example.com', path: '/a?b' });
  expect(read('http://[2001:DB8::7]:80/a', 'x.test')).toEqual({ host: '2001:db8::7', path: '/a' });
  expect(read('/caf\u00e9', 'a.test')?.path).toBe('/caf%e9');
  expect(read('/', 'a.test', 'a.test')).toBeUndefined();
});
