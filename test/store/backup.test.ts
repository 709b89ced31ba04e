import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { freshRenewal } from '../../src/core/records.ts';
import { secret } from '../../src/core/secret.ts';
import { backupFileName, rotateBackups } from '../../src/store/backup.ts';
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
  await store.accounts.put({
    issuer: 'le',
    directoryUrl: 'https://ca.test',
    key: secret<Uint8Array>(randomBytes(138)),
    contacts: [],
    createdAt: 1,
  });
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
      await store.journal.expired(6_000),
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
  await expect(restoreStore({ redis, file, ...base })).rejects.toMatchObject({ code: 'store.backup' });
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

test('the newest seven backups stay, and nothing else is touched', async () => {
  const folder = testFolder('backup');
  const day = (index: number) => backupFileName(Date.UTC(2026, 0, index + 1, 3));
  for (let index = 0; index < 10; index++) writeFileSync(join(folder, day(index)), '');
  writeFileSync(join(folder, 'mine.txt'), '');
  await rotateBackups(folder);
  expect(readdirSync(folder).sort()).toEqual([
    ...Array.from({ length: 7 }, (_, index) => day(index + 3)),
    'mine.txt',
  ]);
});
