import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aclRules } from '../../src/store/acl.ts';
import { projectRoot } from '../support/root.ts';

test('the rights that the README gives are those that the store is tested with', () => {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  const given = readme.split('```').find((block) => block.includes('resetkeys'));
  expect(given?.trim().split(/\s+/)).toEqual(aclRules.split(' '));
});
