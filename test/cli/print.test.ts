import { expect, test } from 'vitest';
import { facts, json, table } from '../../src/cli/print.ts';
import { exact, length, relative } from '../../src/operations/words.ts';
import { now } from './fixture.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test('a table has columns as wide as their widest cell and no trailing blanks', () => {
  const rows = [
    ['example.com/a/ec', 'in 59 days', 'ok'],
    ['b', '-', ''],
  ];
  expect(table(['ID', 'EXPIRES', 'STATE'], rows)).toBe(
    [
      'ID                EXPIRES     STATE',
      'example.com/a/ec  in 59 days  ok',
      'b                 -',
      '',
    ].join('\n'),
  );
  expect(table(['ID', 'EXPIRES'], [])).toBe('ID  EXPIRES\n');
});

test('facts without a value are left out', () => {
  expect(
    facts([
      ['state', 'ok'],
      ['serial', undefined],
      ['valid until', 'never'],
      ['key', ''],
    ]),
  ).toBe('state:        ok\nvalid until:  never\n');
});

test.each([
  [59 * day + 23 * hour, 'in 59 days'],
  [2 * day, 'in 2 days'],
  [2 * day - 1, 'in 47 hours'],
  [hour, 'in 1 hour'],
  [hour - 1, 'in 59 minutes'],
  [90 * second, 'in 1 minute'],
  [2 * second, 'in 2 seconds'],
  [999, 'now'],
  [0, 'now'],
  [-second, '1 second ago'],
  [-3 * hour, '3 hours ago'],
  [-400 * day, '400 days ago'],
])('an instant %i ms from now is "%s"', (distance, words) => {
  expect(relative(now + distance, now)).toBe(words);
});

test('exact instants and lengths', () => {
  expect(exact(now)).toBe('2026-11-20 12:00:00 UTC');
  expect(length(0)).toBe('0 seconds');
  expect(length(5 * day)).toBe('5 days');
});

test('JSON has instants in ISO 8601 and other numbers as they are', () => {
  const value = {
    asOf: now,
    expiresAt: now,
    certificate: { notBefore: now, notAfter: now, generation: 3 },
    renewal: { failures: 2, failingSince: now, lastFailure: { at: now }, window: { start: now, end: now } },
    silencedUntil: now,
    format: 1,
    counts: { total: 4 },
    startAt: undefined,
    nextAt: 1e300,
  };
  const iso = '2026-11-20T12:00:00.000Z';
  expect(JSON.parse(json(value))).toEqual({
    asOf: iso,
    expiresAt: iso,
    certificate: { notBefore: iso, notAfter: iso, generation: 3 },
    renewal: { failures: 2, failingSince: iso, lastFailure: { at: iso }, window: { start: iso, end: iso } },
    silencedUntil: iso,
    format: 1,
    counts: { total: 4 },
    nextAt: 1e300,
  });
  expect(json(undefined)).toBe('{}\n');
});
