import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { freshRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import { backupChore, backupFileName, backupSoonMs, rotateBackups } from '../../src/store/backup.ts';
import { openStore, type RedisOptions, type Store } from '../../src/store/index.ts';
import { restoreStore } from '../../src/store/restore.ts';
import { startRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  bundle,
  domain,
  host,
  issuance,
  journalEntry,
  lineage,
  masterKey,
  notice,
  silentLog,
} from './samples.ts';
import { startCluster } from './servers.ts';

const masterKeys = [masterKey()];
const base = { masterKeys, clock: systemClock, log: silentLog };

async function emptyRedis(): Promise<RedisOptions> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  return { url: redis.url };
}

async function open(redis: RedisOptions): Promise<Store> {
  const store = await openStore({ redis, ...base });
  onTestFinished(() => store.close());
  return store;
}

const shared = randomBytes(1_000);
const held = ['a.test/www/ec', 'b.test/www/ec'];

const account = {
  issuer: 'le',
  directoryUrl: 'https://ca.test',
  key: secret<Uint8Array>(randomBytes(138)),
  contacts: [],
  createdAt: 1,
};

async function fill(store: Store): Promise<void> {
  for (const [index, id] of held.entries())
    await store.changes.commit({
      putDomains: [domain(`${id[0]}.test`)],
      putHosts: [host(`www.${id[0]}.test`, `${id[0]}.test`)],
      putLineages: [lineage(id, `${id[0]}.test`)],
      generation: bundle(id, 1, [shared]),
      putRenewals: [{ ...freshRenewal(id), failures: index }],
      putTasks: [
        {
          id: `t${index}`,
          operation: 'x',
          createdAt: Date.now(),
          state: 'running',
          items: [{ id, state: 'waiting' }],
        },
      ],
      due: [{ job: 'issue', id, at: 42 }],
      events: [{ type: 'certificate.issued', lineage: id, facts: {} }],
    });
  await store.changes.commit({ putIssuance: issuance('a.test/www/ec') });
  await store.accounts.put(account);
  await store.journal.intend([journalEntry('j1'), journalEntry('j2', { value: 'v2', leaseUntil: 9_000 })]);
  await store.outbox.add('mail', [notice('n1', 1)]);
  await store.locks.tryAcquire('passing', 60_000);
  await store.tokens.put('tok', 'tok.auth', Date.now() + 60_000);
  const [first] = await store.events.read('notify', 10);
  await store.events.ack('notify', [first?.id ?? '']);
}

/** Everything that the ports show. */
async function contents(store: Store): Promise<unknown> {
  const bundles = await Promise.all(held.map((id) => store.certificates.bundle(id)));
  const account = await store.accounts.get('le');
  const begun = await store.issuances.get('a.test/www/ec');
  return {
    domains: await store.wishes.domains(),
    hosts: await store.wishes.hosts('a.test'),
    lineages: await store.certificates.lineages(),
    ofDomain: await store.certificates.lineages('b.test'),
    bundles: bundles.map((one) => [one?.certificate, one?.leafDer, one?.chainDer, one?.privateKey.reveal()]),
    renewals: await store.renewals.many(held),
    due: await store.due.next(1_000, 100),
    tasks: await store.tasks.list(10),
    account: [account, account?.key.reveal()],
    issuance: [begun, begun?.privateKey.reveal()],
    journal: [
      await store.journal.sharing(journalEntry('j2', { value: 'v2' })),
      (await store.journal.all()).map(({ id }) => id).sort(),
    ],
    notices: await store.outbox.list('mail'),
  };
}

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
    [{ file: join(folder, 'none') }, 'store.backup'],
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
  writeFileSync(join(folder, `${name(9, 20)}.new`), 'left by a kill');
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

describe('a backup that cannot be written', () => {
  test.each([
    ['in place of a folder', (folder: string) => folder, /there is a folder of this name; name a file/],
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

  test('for lack of space leaves the one before as it was', async () => {
    const folder = testFolder('backup');
    const store = await open(await emptyRedis());
    await fill(store);
    const file = join(folder, 'one.backup');
    await store.backup(file);
    const before = readFileSync(file);
    // Its draft leads to a disk that is always full.
    symlinkSync('/dev/full', `${file}.new`);
    await expect(store.backup(file)).rejects.toMatchObject({
      code: 'config.unwritable',
      message: `the backup ${file} cannot be written: the disk is full`,
    });
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['one.backup']);
  });
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
