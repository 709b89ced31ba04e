import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { isAgentError } from '../../src/core/errors.ts';
import { openStore } from '../../src/store/index.ts';
import { until } from '../support/process.ts';
import { bundle, domain, lineage, masterKey, silentLog } from './samples.ts';
import { startSentinel } from './servers.ts';
import { describeStore } from './suite.ts';

describeStore('a master found by Sentinel', async () => {
  const servers = await startSentinel();
  return { redis: { sentinels: servers.sentinels }, stop: servers.stop };
});

test('after a failover the store goes on with the promoted replica, and says so in between', async () => {
  const servers = await startSentinel();
  onTestFinished(servers.stop);
  const store = await openStore({
    redis: { sentinels: servers.sentinels },
    masterKeys: [masterKey()],
    clock: systemClock,
    log: silentLog,
  });
  onTestFinished(() => store.close());
  const id = 'moved.test/www/ec';
  await store.changes.commit({ putLineages: [lineage(id)], generation: bundle(id, 1), durable: true });
  const lock = await store.locks.tryAcquire('issue', 60_000);
  await until('the replica has it', async () =>
    String(await servers.replica.cli('EXISTS', '{acme}:lock:issue')).includes('1'),
  );
  await servers.master.kill('SIGKILL');

  const faults = new Set<string>();
  const startedAt = Date.now();
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
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  expect((await store.certificates.bundle(id))?.certificate.serial).toBe('01');
  expect(lock?.signal.aborted).toBe(false);
  await lock?.release();
});
