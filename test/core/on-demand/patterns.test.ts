import { describe, expect, test } from 'vitest';
import {
  isAllowed,
  isOfAnybody,
  parsePattern,
  patternRefusal,
} from '../../../src/core/on-demand/patterns.ts';

describe('K7 a pattern allows names label by label', () => {
  test.each([
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'b.a.example.com', false],
    ['*.a.com', 'b.xa.com', false],
    ['*.alpha.example.com', 'gw-alpha.example.com', false],
    ['*.alpha.example.com', 'gw.alpha.example.com', true],
    ['a.example.com', 'axexample.com', false],
    ['shop.*.example.com', 'shop.eu.example.com', true],
    ['shop.*.example.com', 'shop.eu.x.example.com', false],
    ['*.*.example.com', 'a.b.example.com', true],
    ['*.*.example.com', 'a.example.com', false],
    ['*.*', 'customer.com', true],
    ['*.*', 'www.customer.com', false],
    ['example.com', 'example.com', true],
    ['example.com', 'example.com.evil.test', false],
    ['example.com', 'evil.test', false],
  ])('%s: %s is %s', (pattern, name, allowed) => {
    expect(isAllowed(name, [pattern])).toBe(allowed);
    expect(isAllowed(name, ['else.test', pattern])).toBe(allowed);
    expect(isAllowed(name, [])).toBe(false);
  });

  test('in its one written form', () => {
    expect(parsePattern(' *.Bücher.Example. ')).toBe('*.xn--bcher-kva.example');
    expect(patternRefusal('*.example.com')).toBeUndefined();
    for (const bad of [
      '',
      '*',
      'com',
      '*a.example.com',
      '*.exa*mple.com',
      'a..b',
      '192.0.2.7',
      '**.example.com',
    ])
      expect(patternRefusal(bad)).toBeDefined();
  });

  test('where the last labels are open, it is of anybody', () => {
    expect(['*.*', 'www.*.com', 'shop.example.*'].map(isOfAnybody)).toEqual([true, true, true]);
    expect(['*.example.com', 'a.*.example.com', 'example.com'].map(isOfAnybody)).toEqual([
      false,
      false,
      false,
    ]);
  });
});
