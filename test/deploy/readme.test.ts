import { expect, it } from 'vitest';
import { deployTargets } from '../../src/deploy/index.ts';
import { renderTargets } from '../support/provider-docs.ts';

it('describes every deploy target in src/deploy/README.md as it is defined', async () => {
  await expect(renderTargets(deployTargets)).toMatchFileSnapshot('../../src/deploy/README.md');
});

it('says what each option is', () => {
  const rows = renderTargets(deployTargets).match(/^\| `.*$/gm) ?? [];
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => /\| +\|$/.test(row))).toEqual([]);
});
