import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bitString,
  children,
  context,
  der,
  integer,
  oid,
  readDer,
  readOid,
  readTime,
  sequence,
  tag,
  time,
} from '../../src/x509/der.ts';

describe('DER', () => {
  test('content of any length comes back, with the shortest form of the length', () => {
    const lengths = fc.oneof(fc.nat(300), fc.integer({ min: 65_000, max: 66_000 }));
    fc.assert(
      fc.property(lengths, fc.nat(255), (length, fill) => {
        const encoded = der(tag.octetString, Buffer.alloc(length, fill));
        const node = readDer(encoded);
        expect(node.body.length).toBe(length);
        expect(node.whole.equals(encoded)).toBe(true);
        const header = length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5;
        expect(encoded.length - length).toBe(header);
      }),
    );
  });

  test.each([
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_536, '0483010000'],
  ])('a length of %i is written as X.690 has it', (length, header) => {
    expect(
      der(0x04, Buffer.alloc(length))
        .subarray(0, header.length / 2)
        .toString('hex'),
    ).toBe(header);
  });

  test('elements in a row come back in order', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (parts) => {
        const whole = sequence(...parts.map((part) => der(tag.octetString, part)));
        expect(children(readDer(whole)).map(({ body }) => [...body])).toEqual(parts.map((part) => [...part]));
      }),
    );
  });

  test('cut-off bytes are refused, never read past', () => {
    const whole = sequence(integer(Buffer.from([1])), der(tag.octetString, Buffer.alloc(200)));
    for (let end = 0; end < whole.length; end++) {
      expect(() => children(readDer(whole.subarray(0, end)))).toThrow(RangeError);
    }
  });

  test('random bytes are read or refused, and never hang', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          children(readDer(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });

  test('an indefinite length is refused', () => {
    expect(() => readDer(Buffer.from('3080020101', 'hex'))).toThrow(RangeError);
  });

  test.each(['1.2.840.10045.3.1.7', '2.5.29.17', '1.3.132.0.34', '0.9.2342.19200300.100.1.25', '2.999.3'])(
    'object identifier %s comes back',
    (dotted) => {
      const { body } = readDer(oid(dotted));
      expect(readOid(body)).toBe(dotted);
    },
  );

  test.each([
    ['', '020100'],
    ['00', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['000001', '020101'],
  ])('the integer %j is non-negative and short', (bytes, encoded) => {
    expect(integer(Buffer.from(bytes, 'hex')).toString('hex')).toBe(encoded);
  });

  test('times come back to the second from 1950 to 9999', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 0, 1) / 1000 }),
        (second) => {
          const node = readDer(time(second * 1000));
          expect(node.tag).toBe(second < Date.UTC(2050, 0, 1) / 1000 ? tag.utcTime : tag.generalizedTime);
          expect(readTime(node)).toBe(second * 1000);
        },
      ),
    );
  });

  test('a time with a zone or without seconds is refused', () => {
    for (const text of ['2601010000Z', '260101000000+0100', '20260101000000.5Z']) {
      expect(() => readTime(readDer(der(tag.utcTime, Buffer.from(text))))).toThrow(RangeError);
    }
  });

  test('tags of context and bit strings are those of X.690', () => {
    expect(context(0, true, integer(Buffer.from([2]))).toString('hex')).toBe('a003020102');
    expect(context(2, false, Buffer.from('a')).toString('hex')).toBe('820161');
    expect(bitString(Buffer.from([1])).toString('hex')).toBe('03020001');
  });
});
