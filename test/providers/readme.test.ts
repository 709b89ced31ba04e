import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dnsProviders } from '../../providers/index.ts';
import { points } from '../contract/points.ts';
import { matrixIn, readMatrix, renderMatrix, rowNames } from '../support/conformance-matrix.ts';
import { renderProviders } from '../support/provider-docs.ts';
import { projectRoot } from '../support/root.ts';

/** A person is held to no point. */
const names = rowNames(
  dnsProviders.filter(({ traits }) => traits.propagation.signal !== 'person').map(({ name }) => name),
);
const matrix = matrixIn(readFileSync(join(projectRoot, 'providers', 'README.md'), 'utf8'));

it('describes every provider in providers/README.md as it is defined', async () => {
  await expect(renderProviders(dnsProviders, renderMatrix(matrix, [], names))).toMatchFileSnapshot(
    '../../providers/README.md',
  );
});

it('shows each secret option as one', () => {
  const text = renderProviders(dnsProviders, matrix);
  for (const name of ['secretAccessKey', 'sessionToken', 'tsig.secret']) {
    expect(text).toMatch(new RegExp(`\\| \`${name}\` +\\| secret +\\|`));
  }
});

it('has every provider in its matrix, every point held or ruled out for a reason (npm run conformance)', () => {
  const rows = readMatrix(matrix);
  expect(rows.map(({ provider }) => provider)).toEqual(names);
  for (const { provider, marks, reasons } of rows) {
    expect(marks, provider).toHaveLength(Object.keys(points).length);
    for (const [index, mark] of marks.entries()) {
      expect(['✓', '–'], `${provider} ${index + 1}`).toContain(mark);
      if (mark === '–') expect(reasons.some((reason) => reason.startsWith(`${index + 1}: `))).toBe(true);
    }
  }
});
