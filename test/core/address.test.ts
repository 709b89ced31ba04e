import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressBytes,
  canonicalAddress,
  createRangeCheck,
  isAddress,
  reverseName,
} from '../../src/core/address.ts';
import { covers, isUnder, parentOf, parseName, refusal } from '../../src/core/names.ts';

describe('an IP address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    [' 192.0.2.7 ', '192.0.2.7'],
    ['2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
    ['2001:db8:0:1:0:0:0:7', '2001:db8:0:1::7'],
    ['2001:db8:0:0:1:0:0:7', '2001:db8::1:0:0:7'],
    ['::1', '::1'],
  ])('%s is the name %s', (text, name) => {
    expect(refusal(text)).toBeUndefined();
    expect(parseName(text)).toBe(name);
    expect(isAddress(parseName(text))).toBe(true);
  });

  test.each([
    ['192.0.2.256', 'neither an IP address nor a name'],
    ['192.0.2.1.', 'neither an IP address nor a name'],
    ['192.0.2', 'neither an IP address nor a name'],
    ['01.2.3.4', 'neither an IP address nor a name'],
    ['a:b', 'neither an IP address nor a name'],
    ['[2001:db8::1]', 'neither an IP address nor a name'],
    ['fe80::1%eth0', 'neither an IP address nor a name'],
    ['0x7f.1', 'write the IP address as 127.0.0.1'],
    ['*.192.0.2.7', 'no wildcard of an IP address'],
    ['*.0.2.7', 'no wildcard of an IP address'],
    ['*.2001:db8::7', 'neither an IP address nor a name'],
    ['0.0.0.0', 'no server has this IP address'],
    ['::', 'no server has this IP address'],
    ['::ffff:192.0.2.7', 'IPv4 address in the form of IPv6'],
  ])('%s is refused: %s', (text, reason) => {
    expect(refusal(text)).toContain(reason);
  });

  test('has no parents, is under itself only and is covered by no wildcard', () => {
    expect(parentOf('192.0.2.7')).toBeUndefined();
    expect(isUnder('192.0.2.7', '192.0.2.7')).toBe(true);
    expect(isUnder('192.0.2.7', 'example.com')).toBe(false);
    expect(covers('*.0.2.7', '192.0.2.7')).toBe(false);
  });

  test('has the names of the reverse DNS', () => {
    expect(reverseName('192.0.2.7')).toBe('7.2.0.192.in-addr.arpa');
    expect(reverseName('2001:db8::7')).toBe(
      '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    );
  });

  test('keeps its bytes in every spelling', () => {
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const sparse = fc
      .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(fc.oneof(bytes, sparse), (wanted) => {
        const long = (Buffer.from(wanted).toString('hex').match(/.{4}/g) ?? []).join(':');
        const short = canonicalAddress(long) ?? '';
        expect(canonicalAddress(short)).toBe(short);
        expect(addressBytes(short)).toEqual(addressBytes(long));
        expect(Buffer.from(addressBytes(short))).toEqual(Buffer.from(wanted));
      }),
    );
  });
});

describe('a range of addresses', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['192.0.2.128/25', '192.0.2.200', true],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['fd00::/9', 'fd7f::1', true],
    ['fd00::/9', 'fd80::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::1', '::1', true],
    ['::/0', '2001:db8::1', true],
  ])('%s holds %s: %s', (range, address, isIn) => {
    expect(createRangeCheck([range])(address)).toBe(isIn);
    expect(createRangeCheck([])(address)).toBe(false);
  });
});
