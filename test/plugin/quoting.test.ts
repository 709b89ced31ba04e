import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quoteTxt, unquoteTxt } from '../../src/plugin/quoting.ts';

it.each([
  ['', '""'],
  ['plain', '"plain"'],
  ['say "hi" \\ bye', '"say \\"hi\\" \\\\ bye"'],
  ['é\n', '"\\303\\251\\012"'],
  ['x'.repeat(256), `"${'x'.repeat(255)}" "x"`],
])('writes %j as zone files do', (value, quoted) => {
  expect(quoteTxt(value, 8)).toBe(quoted);
});

it('writes other octets in decimal where the vendor wants that', () => {
  expect(quoteTxt('é', 10)).toBe('"\\195\\169"');
});

it('reads strings without quotes as they stand', () => {
  expect(unquoteTxt('plain', 8)).toBe('plain');
});

it('reads back whatever it wrote', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.constantFrom(8, 10), (value, base) => {
      expect(unquoteTxt(quoteTxt(value, base), base)).toBe(value);
    }),
  );
});
