import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
const masterKeys = [secret<Uint8Array>(randomBytes(32))];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

function open(): Promise<Store> {
  return openStore({ redis: { url: redis.url }, masterKeys, clock: systemClock, log: createMemoryLog() });
}

describe('a lock whose holder dies', () => {
  it('runs out by itself: nobody has to delete it for renewals to go on', async () => {
    const [dead, other] = [await open(), await open()];
    expect(await dead.locks.tryAcquire('issue:a', 500)).toBeDefined();
    const keys = (await redis.cli('KEYS', '*:lock:*')) as readonly string[];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(Number(await redis.cli('PTTL', key))).toBeGreaterThan(0);
    expect(await other.locks.tryAcquire('issue:a', 500)).toBeUndefined();
    // Its connection ends, and with it the heartbeat.
    await dead.close();
    const lock = await other.locks.acquire('issue:a', 500, AbortSignal.timeout(20_000));
    await lock.release();
    await other.close();
  });

  it('or was overwritten with something unreadable gives way as well', async () => {
    const store = await open();
    await store.locks.tryAcquire('issue:b', 500).then((lock) => lock?.release());
    await redis.cli('SET', '{acme}:lock:issue:b', '\0\0\0', 'PX', '300');
    expect(await store.locks.tryAcquire('issue:b', 500)).toBeUndefined();
    const lock = await store.locks.acquire('issue:b', 500, AbortSignal.timeout(20_000));
    await lock.release();
    await store.close();
  });
});
