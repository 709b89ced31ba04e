import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nameAgent } from '../../src/agent/agent-id.ts';
import { testFolder } from '../support/run-folder.ts';

/** What the last agent on the directory left, as if it were another process. */
function rewrite(folder: string, change: object): void {
  const file = join(folder, 'agent.json');
  const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...(record as object), ...change }));
}

it('an agent has the name of the one that died on its data directory', async () => {
  const folder = testFolder('id');
  const first = await nameAgent(folder);
  rewrite(folder, { startedAt: 'long ago' });
  expect(await nameAgent(folder)).toBe(first);
});

it('a second agent on a data directory has a name of its own, and leaves the first its name', async () => {
  const folder = testFolder('id');
  const first = await nameAgent(folder);
  expect(await nameAgent(folder)).not.toBe(first);
  rewrite(folder, { startedAt: 'long ago' });
  expect(await nameAgent(folder)).toBe(first);
});

it('a copy of a data directory on another machine has a name of its own', async () => {
  const folder = testFolder('id');
  const first = await nameAgent(folder);
  rewrite(folder, { startedAt: 'long ago', host: 'another' });
  expect(await nameAgent(folder)).not.toBe(first);
});

it('a record that cannot be read counts for nothing', async () => {
  const folder = testFolder('id');
  const first = await nameAgent(folder);
  writeFileSync(join(folder, 'agent.json'), '{');
  expect(await nameAgent(folder)).not.toBe(first);
});
