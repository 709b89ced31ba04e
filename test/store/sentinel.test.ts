import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { isAgentError } from '../../src/core/errors.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { until } from '../support/process.ts';
import { bundle, domain, lineage, masterKey, silentLog } from './samples.ts';
import { startSentinel, type TestSentinel } from './servers.ts';
import { describeStore } from './suite.ts';

describeStore('a master found by Sentinel', async () => {
  const servers = await startSentinel();
  return { redis: { sentinels: servers.sentinels }, stop: servers.stop };
});

async function given(stores = 1) {
  const servers = await startSentinel();
  const masterKeys = [masterKey()];
  const options = { redis: { sentinels: servers.sentinels }, masterKeys, clock: systemClock, log: silentLog };
  const opened: Store[] = [];
  for (let agent = 0; agent < stores; agent++) opened.push(await openStore(options));
  onTestFinished(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await servers.stop();
  });
  const [store, other = store] = opened;
  if (store === undefined || other === undefined) throw new Error('no store was opened');
  return { servers, store, other };
}

/** The replica leaves its master, as in the moment of a failover when the sentinel has not said so yet. */
async function twoMasters({ replica, master }: TestSentinel): Promise<void> {
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  await until('the master sees it', async () =>
    String(await master.cli('INFO', 'replication')).includes('connected_slaves:0'),
  );
}

test('after a failover the store goes on with the promoted replica, and says so in between', async () => {
  const { servers, store } = await given();
  expect(store.facts).toMatchObject({ replicas: 1, replicasToWrite: 0 });
  const id = 'moved.test/www/ec';
  await store.changes.commit({ putLineages: [lineage(id)], generation: bundle(id, 1), durable: true });
  const lock = await store.locks.tryAcquire('issue', 60_000);
  await until('the replica has it', async () =>
    String(await servers.replica.cli('EXISTS', '{acme}:lock:issue')).includes('1'),
  );
  await servers.master.kill('SIGKILL');

  const faults = new Set<string>();
  await until('writes work again', async () => {
    try {
      await store.changes.commit({ fence: lock, putDomains: [domain('after.test')], durable: true });
      return true;
    } catch (error) {
      faults.add(isAgentError(error) ? error.code : String(error));
      throw error;
    }
  });
  expect([...faults]).toEqual(['store.unavailable']);
  expect((await store.certificates.bundle(id))?.certificate.serial).toBe('01');
  expect(lock?.signal.aborted).toBe(false);
  await lock?.release();
});

test('no write that was acknowledged is lost in orderly failovers, and each is over soon', async () => {
  const { servers, store } = await given();
  const acknowledged: string[] = [];
  const faults = new Set<string>();
  let longestGapMs = 0;

  async function writeUntil(isOver: () => boolean): Promise<void> {
    let at = performance.now();
    for (let turn = 0; !isOver(); turn++) {
      const name = `d${acknowledged.length}-${turn}.test`;
      try {
        await store.changes.commit({ putDomains: [domain(name)] });
        acknowledged.push(name);
        longestGapMs = Math.max(longestGapMs, performance.now() - at);
        at = performance.now();
      } catch (error) {
        faults.add(isAgentError(error) ? error.code : String(error));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  for (const next of [servers.replica, servers.master, servers.replica]) {
    let isOver = false;
    const writing = writeUntil(() => isOver);
    await servers.failover();
    await servers.leads(next).finally(() => {
      isOver = true;
    });
    await writing;
    // Also on the one that was master: what it alone took is gone by now.
    const held = new Set((await store.wishes.domains()).map(({ name }) => name));
    expect(acknowledged.filter((name) => !held.has(name))).toEqual([]);
  }
  expect([...faults]).toEqual(['store.unavailable']);
  expect(longestGapMs).toBeLessThan(20_000);
});

test('what a master takes after its replica was promoted does not pass for written', async () => {
  const { servers, store } = await given();
  await twoMasters(servers);
  await expect(store.changes.commit({ putDomains: [domain('lost.test')] })).rejects.toMatchObject({
    code: 'store.unavailable',
    message: expect.stringContaining('no replica has'),
  });
});

test('a lock that a failover lost does not let its holder flip the pointer, though another one got the same count', async () => {
  const { servers, store, other } = await given(2);
  const id = 'fenced.test/www/ec';
  await store.changes.commit({ putLineages: [lineage(id)] });
  await twoMasters(servers);
  const lost = await store.locks.tryAcquire('issue', 60_000);
  const count = await servers.master.cli('GET', '{acme}:fence');
  expect(lost).toBeDefined();

  await servers.master.kill('SIGKILL');
  let held: typeof lost;
  await until('the lock is free on the new master', async () => {
    held = await other.locks.tryAcquire('issue', 60_000);
    return held !== undefined;
  });
  expect(await servers.replica.cli('GET', '{acme}:fence')).toBe(count);
  await until('writes work again', async () => {
    await store.changes.commit({ putDomains: [domain('after.test')] });
    return true;
  });
  const flip = (fence: typeof lost) =>
    store.changes.commit({ fence, generation: bundle(id, 1), durable: true });
  await expect(flip(lost)).rejects.toMatchObject({ code: 'store.fenced' });
  await flip(held);
  expect((await store.certificates.bundle(id))?.certificate.generation).toBe(1);
  await held?.release();
});
