import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { backupChore, backupFileName, backupSoonMs, rotateBackups } from '../../src/store/backup.ts';
import { restoreStore } from '../../src/store/restore.ts';
import { testFolder } from '../support/run-folder.ts';
import { account, base, contents, emptyRedis, fill, held, open, shared } from './backup-kit.ts';
import { bundle, domain, lineage, masterKey } from './samples.ts';
import { startCluster } from './servers.ts';

test('a restored store is the store that was backed up', async () => {
  const from = await open(await emptyRedis());
  await fill(from);
  const before = await contents(from);
  const file = join(testFolder('backup'), 'one.backup');
  await from.backup(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const redis = await emptyRedis();
  const restored = await restoreStore({ redis, file, ...base });
  expect(restored.storeId).toBe(from.meta.storeId);
  const to = await open(redis);
  expect(to.meta).toEqual(from.meta);
  expect(await contents(to)).toEqual(before);
  expect((await to.events.read('notify', 10)).map(({ type }) => type)).toEqual([
    'certificate.issued',
    'store.restored',
  ]);
  expect(await to.tokens.get('tok')).toBeUndefined();
  expect(await to.locks.tryAcquire('passing', 1_000)).toBeDefined();

  await to.changes.commit({ removeLineages: [held[0] ?? ''] });
  expect(Buffer.from((await to.certificates.bundle(held[1] ?? ''))?.chainDer[0] ?? [])).toEqual(shared);
});

test('a backup moves from one server to a cluster', async () => {
  const from = await open(await emptyRedis());
  await fill(from);
  const file = join(testFolder('backup'), 'one.backup');
  await from.backup(file);
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const redis = { cluster: cluster.endpoints };
  await restoreStore({ redis, file, ...base });
  const to = await open(redis);
  expect(await contents(to)).toEqual(await contents(from));
  const again = join(testFolder('backup'), 'two.backup');
  await to.backup(again);
  await restoreStore({ redis, file: again, force: true, ...base });
  expect(await contents(await open(redis))).toEqual(await contents(from));
});

test('a store that holds something is restored over only by force', async () => {
  const redis = await emptyRedis();
  const store = await open(redis);
  await fill(store);
  const file = join(testFolder('backup'), 'one.backup');
  await store.backup(file);
  await store.changes.commit({ putDomains: [domain('later.test')] });
  await expect(restoreStore({ redis, file, ...base })).rejects.toMatchObject({
    code: 'store.notEmpty',
    advice: expect.stringContaining('--force'),
  });
  expect(await store.wishes.domain('later.test')).toBeDefined();
  await restoreStore({ redis, file, force: true, ...base });
  expect(await store.wishes.domain('later.test')).toBeUndefined();
  expect(await store.wishes.domain('a.test')).toBeDefined();
});

test('a backup opens only whole and only with its master key, and else nothing is written', async () => {
  const store = await open(await emptyRedis());
  await fill(store);
  const folder = testFolder('backup');
  const file = join(folder, 'one.backup');
  await store.backup(file);
  const bytes = readFileSync(file);
  const redis = await emptyRedis();
  const altered = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 5] = (flipped[bytes.length - 5] ?? 0) ^ 1;
  const attempts = [
    [{ file: altered('short', bytes.subarray(0, bytes.length - 100)) }, 'store.backup'],
    [{ file: altered('header-only', bytes.subarray(0, bytes.indexOf('\n') + 1)) }, 'store.backup'],
    [{ file: altered('flipped', flipped) }, 'store.backup'],
    [{ file: altered('other', 'hello\n') }, 'store.backup'],
    [{ file: join(folder, 'none') }, 'config.unreadable'],
    [{ file, masterKeys: [masterKey()] }, 'store.masterKey'],
  ] as const;
  for (const [options, code] of attempts)
    await expect(restoreStore({ redis, ...base, ...options })).rejects.toMatchObject({ code });
  await restoreStore({ redis, file, ...base });
});

test('the newest seven backups stay and the last of each of seven days, and nothing else is touched', async () => {
  const folder = testFolder('backup');
  const name = (day: number, hour: number) => backupFileName(Date.UTC(2026, 0, day, hour));
  const days = Array.from({ length: 9 }, (_, index) => index + 1);
  for (const day of days) for (const hour of [3, 15]) writeFileSync(join(folder, name(day, hour)), '');
  for (let hour = 0; hour < 10; hour++) writeFileSync(join(folder, name(10, hour)), '');
  writeFileSync(join(folder, `${name(9, 20)}.${'0f'.repeat(8)}.new`), 'left by a kill');
  writeFileSync(join(folder, 'mine.txt'), '');
  await rotateBackups(folder);
  expect(readdirSync(folder).sort()).toEqual([
    ...days.slice(3).map((day) => name(day, 15)),
    ...Array.from({ length: 7 }, (_, index) => name(10, index + 3)),
    'mine.txt',
  ]);
});

test('a key that is made asks for a backup soon; one that is due earlier stays so', async () => {
  const store = await open(await emptyRedis());
  const dueAt = () => store.due.at('upkeep', backupChore);
  const before = Date.now();
  await store.changes.commit({ putDomains: [domain('a.test')], due: [{ job: 'issue', id: 'x', at: 1 }] });
  expect(await dueAt()).toBeUndefined();
  await store.accounts.put(account);
  const asked = (await dueAt()) ?? 0;
  expect(asked).toBeGreaterThanOrEqual(before + backupSoonMs);
  expect(asked).toBeLessThanOrEqual(Date.now() + backupSoonMs);
  await store.changes.commit({
    putLineages: [lineage('a.test/www/ec', 'a.test')],
    generation: bundle('a.test/www/ec', 1),
  });
  expect(await dueAt()).toBe(asked);
  await store.changes.commit({
    generation: bundle('a.test/www/ec', 2),
    due: [{ job: 'upkeep', id: backupChore, at: Date.now() + 10 * backupSoonMs }],
  });
  await store.changes.commit({ generation: bundle('a.test/www/ec', 3) });
  expect(await dueAt()).toBeLessThanOrEqual(Date.now() + backupSoonMs);
});
