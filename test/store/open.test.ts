import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openStore, type StoreOptions, storeExists } from '../../src/store/index.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { type RedisOptions, startRedis, type TestRedis } from '../support/redis.ts';
import { domain, issuance, masterKey, silentLog } from './samples.ts';

const base = { clock: systemClock, log: silentLog };

async function redisFor(options: RedisOptions = {}): Promise<TestRedis> {
  const redis = await startRedis(options);
  onTestFinished(() => redis.stop());
  return redis;
}

async function open(redis: Pick<TestRedis, 'url'>, more: Partial<StoreOptions> = {}) {
  const store = await openStore({ redis: { url: redis.url }, masterKeys: [masterKey()], ...base, ...more });
  onTestFinished(() => store.close());
  return store;
}

test('a Redis that is not there is named, without its password', async () => {
  const port = await freePort();
  const opening = openStore({
    redis: { url: `redis://someone:s3cret-word@127.0.0.1:${port}/2` },
    masterKeys: [masterKey()],
    ...base,
  });
  await expect(opening).rejects.toMatchObject({
    code: 'store.unavailable',
    message: expect.stringContaining(`redis://127.0.0.1:${port}/2`),
  });
  await expect(opening).rejects.toThrow(/ECONNREFUSED/);
  await expect(opening).rejects.not.toThrow(/s3cret-word/);
});

test('something that accepts and never answers is given up soon', async () => {
  const server = createServer(() => {});
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const opening = openStore({
    redis: { url: `redis://127.0.0.1:${port}` },
    masterKeys: [masterKey()],
    ...base,
  });
  await expect(opening).rejects.toMatchObject({ code: 'store.unavailable' });
});

test('an address that is none is a mistake of the configuration', async () => {
  const opening = openStore({ redis: { url: 'http://x' }, masterKeys: [masterKey()], ...base });
  await expect(opening).rejects.toMatchObject({ code: 'config.invalid' });
});

test('a unix socket may be given as a URL', async () => {
  const redis = await redisFor({ socket: true });
  const store = await open({ url: `unix://${redis.socketPath}` });
  expect(store.address).toBe(redis.socketPath);
});

test('a Redis that may throw keys away is refused', async () => {
  const redis = await redisFor({ args: ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru'] });
  await expect(open(redis)).rejects.toMatchObject({
    code: 'store.eviction',
    message: expect.stringContaining('volatile-lru'),
  });
});

test('a Redis that may lose acknowledged writes is refused, unless the operator accepts it', async () => {
  const redis = await redisFor({ args: ['--appendfsync', 'everysec'] });
  await expect(open(redis)).rejects.toMatchObject({
    code: 'store.durability',
    message: expect.stringContaining('appendfsync everysec'),
  });
  expect((await open(redis, { durability: 'relaxed' })).durableMode).toBe('none');
});

test('a newer server that syncs every second is good enough, and one without a log is not', async () => {
  const valkey = await redisFor({ valkey: true, args: ['--appendfsync', 'everysec'] });
  const store = await open(valkey);
  expect(store.durableMode).toBe('waitaof');
  expect(store.facts).toMatchObject({ server: 'valkey', appendonly: true, forbidden: [] });
  for (const [args, words] of [
    [['--appendonly', 'no'], 'appendonly is no'],
    [['--appendfsync', 'no'], 'appendfsync no'],
    [
      ['--appendfsync', 'everysec', '--no-appendfsync-on-rewrite', 'yes'],
      'appendfsync everysec, no-appendfsync-on-rewrite yes',
    ],
  ] as const)
    await expect(open(await redisFor({ valkey: true, args }))).rejects.toMatchObject({
      code: 'store.durability',
      message: expect.stringContaining(words),
    });
});

test('a Redis that does not sync while it writes its files anew is refused, also where it syncs every write', async () => {
  const redis = await redisFor({ args: ['--no-appendfsync-on-rewrite', 'yes'] });
  await expect(open(redis)).rejects.toMatchObject({
    code: 'store.durability',
    message: expect.stringContaining('no-appendfsync-on-rewrite yes'),
  });
});

test('durable writes at one time share their waits for the disk', async () => {
  const valkey = await redisFor({ valkey: true, args: ['--appendfsync', 'everysec'] });
  const store = await open(valkey);
  const write = (index: number) =>
    store.changes.commit({ putDomains: [domain(`d${index}.test`)], durable: true });
  await Promise.all(Array.from({ length: 64 }, (_, index) => write(index)));
  const stats = String(await valkey.cli('INFO', 'commandstats'));
  const waits = Number(/cmdstat_waitaof:calls=(\d+)/.exec(stats)?.[1]);
  expect(waits).toBeGreaterThan(1);
  expect(waits).toBeLessThan(32);
  expect(await store.wishes.domains()).toHaveLength(64);
});

test('a store of another master key is refused, and one of an older key that is still in the ring is taken over', async () => {
  const redis = await redisFor();
  const [older, newer] = [masterKey(), masterKey()];
  expect(await storeExists({ redis: { url: redis.url }, ...base })).toBe(false);
  const first = await open(redis, { masterKeys: [older] });
  expect(await storeExists({ redis: { url: redis.url }, ...base })).toBe(true);
  await first.changes.commit({ putIssuance: issuance('a.test/www/ec') });
  await expect(open(redis, { masterKeys: [newer] })).rejects.toMatchObject({ code: 'store.masterKey' });
  const second = await open(redis, { masterKeys: [newer, older] });
  expect(second.meta.storeId).toBe(first.meta.storeId);
  expect(await second.issuances.get('a.test/www/ec')).toBeDefined();
  await expect(open(redis, { masterKeys: [older] })).rejects.toMatchObject({ code: 'store.masterKey' });
});

test('a store of another schema is refused', async () => {
  const redis = await redisFor();
  await open(redis);
  await redis.cli('HSET', '{acme}:meta', 'schema', '99');
  await expect(open(redis)).rejects.toMatchObject({
    code: 'store.schema',
    message: expect.stringContaining('99'),
  });
});

test('two agents that open an empty store at once make one store', async () => {
  const redis = await redisFor();
  const masterKeys = [masterKey()];
  const stores = await Promise.all([1, 2, 3].map(() => open(redis, { masterKeys })));
  expect(new Set(stores.map(({ meta }) => meta.storeId)).size).toBe(1);
});

test('of two agents with different configurations the later one hears of the earlier', async () => {
  const redis = await redisFor();
  const masterKeys = [masterKey()];
  const [one, two] = [await open(redis, { masterKeys }), await open(redis, { masterKeys })];
  expect(await one.agreeOnConfig('one', 'hash-a')).toEqual([]);
  expect(await two.agreeOnConfig('two', 'hash-b')).toEqual([{ id: 'one', hash: 'hash-a' }]);
  expect(await one.agreeOnConfig('one', 'hash-a')).toEqual([]);
  expect(await two.agreeOnConfig('two', 'hash-a')).toEqual([]);
  expect(await two.agreeOnConfig('two', 'hash-b')).toEqual([{ id: 'one', hash: 'hash-a' }]);
  await one.close();
  expect(await two.agreeOnConfig('two', 'hash-b')).toEqual([]);
});

test('while Redis is away every call fails at once, and works again by itself', async () => {
  const redis = await redisFor();
  const store = await open(redis);
  await store.changes.commit({ putDomains: [domain('a.test')] });
  await redis.kill('SIGKILL');
  await until('the loss is noticed', () =>
    store.ping().then(
      () => false,
      (error: Error) => error.message.includes('ECONNREFUSED'),
    ),
  );
  const startedAt = Date.now();
  const results = await Promise.allSettled([
    store.wishes.domain('a.test'),
    store.changes.commit({ putDomains: [domain('b.test')], durable: true }),
    store.locks.tryAcquire('x', 1_000),
    store.certificates.bundle('none'),
    store.events.read('g', 1),
  ]);
  for (const result of results)
    expect(result).toMatchObject({ reason: { code: 'store.unavailable', retry: 'soon' } });
  expect(results[0]).toMatchObject({ reason: { message: expect.stringContaining('ECONNREFUSED') } });
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  await redis.start();
  await until('the store answers', async () => (await store.wishes.domain('a.test')) !== undefined);
});

test('a lock whose Redis stays away for its whole life counts as lost', async () => {
  const redis = await redisFor();
  const store = await open(redis);
  const lock = await store.locks.tryAcquire('gone', 900);
  await redis.kill('SIGKILL');
  await until('the lock is lost', () => lock?.signal.aborted === true);
  expect(lock?.signal.reason).toMatchObject({ code: 'store.fenced' });
  await lock?.release();
});
