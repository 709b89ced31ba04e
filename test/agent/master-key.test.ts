import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findMasterKey, readMasterKey, shortName } from '../../src/agent/master-key.ts';
import { createMemoryLog } from '../support/memory.ts';
import { testFolder } from '../support/run-folder.ts';

const noStore = async () => false;

it('a key that is made is told with its file and short name, for the path may be mistyped; one that is there is not', async () => {
  const file = join(testFolder('key'), 'below', 'mastr.key');
  const log = createMemoryLog();
  const made = await readMasterKey({ file }, { storeExists: noStore, log });
  expect(log.lines).toEqual([
    `warn a new master key was made; keep a copy of it on another machine ${JSON.stringify({ file, key: shortName(made) })}`,
  ]);
  expect(log.lines.join()).not.toContain(readFileSync(file, 'utf8').trim());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await readMasterKey({ file }, { storeExists: noStore, log });
  expect(again.reveal()).toEqual(made.reveal());
  expect(log.lines).toHaveLength(1);
});

it('none is made where a store belongs to another', async () => {
  const file = join(testFolder('key'), 'mastr.key');
  const log = createMemoryLog();
  const refused = readMasterKey({ file }, { storeExists: async () => true, log });
  await expect(refused).rejects.toMatchObject({ code: 'store.masterKey' });
  expect(await findMasterKey({ file })).toBeUndefined();
  expect(log.lines).toEqual([]);
});
