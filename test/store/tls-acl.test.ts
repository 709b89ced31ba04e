import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { aclRules, aclRulesFor, newerCommands } from '../../src/store/acl.ts';
import { openStore, type RedisOptions } from '../../src/store/index.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { domain, masterKey, silentLog } from './samples.ts';
import { describeStore } from './suite.ts';

const password = 'p@ss_word:/1';
const user = { name: 'acme-agent', password };

/** A TLS server on which only our user may do anything, and only what the documented rules allow. */
async function startGuarded(options: { valkey?: boolean; rules?: string } = {}): Promise<TestRedis> {
  const { valkey = false, rules = aclRulesFor('{acme}', valkey ? [] : newerCommands) } = options;
  const aclFile = join(testFolder('acl'), 'users.acl');
  writeFileSync(aclFile, `user default off\nuser acme-agent >${password} ${rules}\n`, {
    mode: 0o600,
  });
  const args = valkey ? ['--appendfsync', 'everysec'] : [];
  return startRedis({
    tls: true,
    aclFile,
    valkey,
    args,
    user: user,
  });
}

function optionsFor(redis: TestRedis): RedisOptions {
  return {
    url: `rediss://127.0.0.1:${redis.port}`,
    username: user.name,
    password: secret(password),
    tls: { caPem: redis.ca },
  };
}

describeStore('a Redis with TLS and a user of least rights', async () => {
  const redis = await startGuarded();
  return { redis: optionsFor(redis), stop: redis.stop };
});

describeStore('a Valkey with TLS and a user of least rights', async () => {
  const valkey = await startGuarded({ valkey: true });
  return { redis: optionsFor(valkey), stop: valkey.stop };
});

test('the least rights suffice for the queues', async () => {
  const redis = await startGuarded();
  onTestFinished(redis.stop);
  const options = { masterKeys: [masterKey()], clock: systemClock, log: silentLog };
  const store = await openStore({ redis: optionsFor(redis), ...options });
  const prefix = store.queuePrefix;
  const errors: Error[] = [];
  const note = (error: Error) => errors.push(error);
  const queue = new Queue('issuance', { connection: store.createConnection('fail'), prefix });
  const heard = new QueueEvents('issuance', { connection: store.createConnection('wait'), prefix });
  const worker = new Worker('issuance', async (job) => job.data.id, {
    connection: store.createConnection('wait'),
    prefix,
  });
  queue.on('error', note);
  heard.on('error', note);
  worker.on('error', note);
  await heard.waitUntilReady();
  const deduplication = { id: 'a', reschedule: true };
  await queue.add('issue', { id: 1 }, { delay: 60_000, deduplication });
  const job = await queue.add('issue', { id: 2 }, { delay: 0, deduplication });
  await job.waitUntilFinished(heard, 10_000);
  await queue.addBulk([{ name: 'issue', data: { id: 3 } }]);
  await queue.getJobCounts();
  await queue.getWorkers();
  await queue.drain(true);
  await queue.obliterate({ force: true });
  await Promise.all([worker.close(), heard.close(), queue.close()]);
  await store.close();
  expect(errors).toEqual([]);
});

test('the documented rules are those of the default prefix', () => {
  expect(aclRules).toContain('~{acme}:* resetchannels &{acme}:*');
  expect(aclRules).not.toMatch(/\+@|flushall|\+keys\b|config\|set/);
});

test('a wrong password is named, without the password', async () => {
  const redis = await startGuarded();
  onTestFinished(redis.stop);
  const options = { ...optionsFor(redis), password: secret('wrong-one') };
  const opening = openStore({
    redis: options,
    masterKeys: [masterKey()],
    clock: systemClock,
    log: silentLog,
  });
  await expect(opening).rejects.toMatchObject({ code: 'store.unavailable', retry: 'blocked' });
  await expect(opening).rejects.toThrow(/WRONGPASS/);
  await expect(opening).rejects.not.toThrow(/wrong-one/);
});

test('a server certificate of a stranger is refused', async () => {
  const redis = await startGuarded();
  onTestFinished(redis.stop);
  const opening = openStore({
    redis: { ...optionsFor(redis), tls: {} },
    masterKeys: [masterKey()],
    clock: systemClock,
    log: silentLog,
  });
  await expect(opening).rejects.toMatchObject({ code: 'store.unavailable' });
  await expect(opening).rejects.toThrow(/certificate/);
});

test('where the rules forbid CONFIG, durability that nobody can see is refused or accepted by the operator', async () => {
  const rules = aclRulesFor('{acme}', [...newerCommands, 'config|get']);
  const redis = await startGuarded({ rules });
  onTestFinished(redis.stop);
  const options = { redis: optionsFor(redis), masterKeys: [masterKey()], clock: systemClock, log: silentLog };
  await expect(openStore(options)).rejects.toMatchObject({
    code: 'store.durability',
    message: expect.stringContaining('CONFIG GET is forbidden'),
  });
  const store = await openStore({ ...options, durability: 'relaxed' });
  expect(store.durableMode).toBe('none');
  expect(store.facts.maxmemoryPolicy).toBe('noeviction');
  await store.changes.commit({ putDomains: [domain('relaxed.test')], durable: true });
  await store.close();
});
