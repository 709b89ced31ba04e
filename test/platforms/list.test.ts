import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/root.ts';

const kinds = { D: 11, V: 10, C: 16, K: 12 } as const;
const numbers = Object.entries(kinds).flatMap(([kind, last]) =>
  Array.from({ length: last }, (_, index) => `${kind}${index + 1}`),
);

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const rows = new Map(
  read('src/decisions/0001-platform-behaviours.md')
    .split('\n')
    .flatMap((line) => {
      const [, number, , ours] = /^\| ([DVCK]\d+) +\|([^|]*)\|(.*)\|$/.exec(line) ?? [];
      return number === undefined || ours === undefined ? [] : [[number, ours] as const];
    }),
);

test('every behaviour of the platforms is in the list, once, in order', () => {
  expect([...rows.keys()]).toEqual(numbers);
});

test.each(numbers)('%s has a test that bears its number, or a reason why not', (number) => {
  const ours = rows.get(number) ?? '';
  if (/^ *(not there yet|a matter of the ACME account)/.test(ours)) return;
  const files = [...ours.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path);
  expect(files.length).toBeGreaterThan(0);
  const titles = files.map((path) => read(path)).join('\n');
  expect(titles).toMatch(new RegExp(`(it|test|describe)(\\.each)?\\(\\s*['"\`]${number} |\\['${number} `));
});
