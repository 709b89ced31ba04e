import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refuseToWrite } from '../../src/store/backup-file.ts';
import { openStore } from '../../src/store/index.ts';
import { restoreStore } from '../../src/store/restore.ts';
import { startRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { base, contents, emptyRedis, fill, open } from './backup-kit.ts';

describe('a backup that cannot be written', () => {
  test.each([
    ['in place of a folder', (folder: string) => folder, /there is a folder of this name/],
    ['below a file', (folder: string) => join(folder, 'file', 'x'), /below something that is not a folder/],
  ])('%s is refused in words, and leaves nothing behind', async (_, place, words) => {
    const folder = join(testFolder('backup'), 'folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), '');
    const store = await open(await emptyRedis());
    await fill(store);
    const refused = store.backup(place(folder));
    await expect(refused).rejects.toMatchObject({
      code: 'config.unwritable',
      message: expect.stringMatching(words),
    });
    expect(readdirSync(join(folder, '..'))).toEqual(['folder']);
  });
});

test.each([
  ['ENOSPC', 'the disk is full'],
  ['EROFS', 'the file system is read-only'],
])('what the system says of a backup, as %s, is told in words', (code, words) => {
  const refuse = refuseToWrite('/b');
  expect(() => refuse(Object.assign(new Error('no'), { code }))).toThrow(
    expect.objectContaining({ message: `the backup /b cannot be written: ${words}` }),
  );
});

test('two backups at once to one file are both whole, and follow no link', async () => {
  const folder = testFolder('backup');
  const store = await open(await emptyRedis());
  await fill(store);
  const file = join(folder, 'one.backup');
  const victim = join(testFolder('victim'), 'file');
  writeFileSync(victim, 'untouched');
  for (const link of [file, `${file}.new`]) symlinkSync(victim, link);
  await Promise.all([store.backup(file), store.backup(file)]);
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  expect(readdirSync(folder).sort()).toEqual(['one.backup', 'one.backup.new']);
  const other = await emptyRedis();
  await restoreStore({ redis: other, file, ...base });
  expect(await contents(await open(other))).toEqual(await contents(store));
});

describe('while an agent counts on a store', () => {
  test('a restore is refused and names it, by force, too, unless the store is known to be ours alone', async () => {
    const redis = await emptyRedis();
    const store = await open(redis);
    await fill(store);
    const file = join(testFolder('backup'), 'one.backup');
    await store.backup(file);
    await store.agreeOnConfig('4711-abc', 'hash');
    for (const force of [false, true])
      await expect(restoreStore({ redis, file, force, ...base })).rejects.toMatchObject({
        code: 'store.inUse',
        message: expect.stringMatching(/^an agent runs on the store at redis:.*: 4711-abc$/),
      });
    expect(await store.wishes.domain('a.test')).toBeDefined();
    await restoreStore({ redis, file, force: true, owned: true, ...base });
    await restoreStore({ redis, file, force: true, ...base });
  });

  test('one that left, or was killed long ago, does not count', async () => {
    const redis = await emptyRedis();
    const [store, other] = [await open(redis), await open(redis)];
    const file = join(testFolder('backup'), 'one.backup');
    await store.backup(file);
    await other.agreeOnConfig('gone', 'hash');
    await other.close();
    const client = store.createConnection('wait');
    onTestFinished(() => client.disconnect());
    await client.hset('{acme}:agents', 'killed', `1 ${Date.now() - 1_000} hash`);
    await restoreStore({ redis, file, force: true, ...base });
  });
});

test('a restore that was broken off leaves nothing that an agent would go on from, and can be run again', async () => {
  const store = await open(await emptyRedis());
  await fill(store);
  const file = join(testFolder('backup'), 'one.backup');
  await store.backup(file);
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const redis = { url: server.url };
  // Its last command is refused, as if it had been killed before that.
  await server.cli('ACL', 'SETUSER', 'default', '-hdel');
  await expect(restoreStore({ redis, file, ...base })).rejects.toThrow();
  await server.cli('ACL', 'SETUSER', 'default', '+hdel');
  for (const acceptEmptyStore of [false, true])
    await expect(openStore({ redis, acceptEmptyStore, ...base })).rejects.toMatchObject({
      code: 'store.lost',
      message: expect.stringMatching(/^a restore into Redis at .* is under way, or was broken off$/),
      advice: expect.stringContaining('restore FILE --force'),
    });
  await expect(restoreStore({ redis, file, ...base })).rejects.toMatchObject({ code: 'store.notEmpty' });
  await restoreStore({ redis, file, force: true, ...base });
  expect(await contents(await open(redis))).toEqual(await contents(store));
});
