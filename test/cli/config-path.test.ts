import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configPath } from '../../src/cli/config-path.ts';
import { testFolder } from '../support/run-folder.ts';

test('the command line comes before the environment, and that before the usual places', () => {
  expect(configPath('a.yaml', { ACME_AGENT_CONFIG: 'b.yaml' })).toBe('a.yaml');
  expect(configPath(undefined, { ACME_AGENT_CONFIG: 'b.yaml' })).toBe('b.yaml');
});

test('of the usual places the first that has a file; without one they are named with the remedy', () => {
  const folder = testFolder('config-path');
  const paths = [join(folder, 'here.yaml'), join(folder, 'there.yaml')];
  expect(() => configPath(undefined, { ACME_AGENT_CONFIG: '' }, paths)).toThrow(
    `there is no configuration file ${paths[0]} or ${paths[1]}; name one with --config FILE`,
  );
  writeFileSync(paths[1] ?? '', '');
  expect(configPath(undefined, {}, paths)).toBe(paths[1]);
});
