import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startRedis } from '../support/redis.ts';

test('every agent on the store, and no other, answers a trial token that nobody told it of', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const masterKeys = [secret<Uint8Array>(randomBytes(32))];
  const open = async (prefix: string): Promise<Store> => {
    const log = createMemoryLog();
    const store = await openStore({ redis: { url: redis.url }, prefix, masterKeys, clock: systemClock, log });
    onTestFinished(() => store.close());
    return store;
  };
  const [one, other, stranger] = [await open('{a}'), await open('{a}'), await open('{b}')];
  const { token, keyAuthorization } = one.tokens.trial();
  expect(token).toMatch(/^[\w-]{32,128}$/);
  const before = await commandsOf(redis);
  expect(await other.tokens.get(token)).toBe(keyAuthorization);
  other.tokens.announceFetched(token);
  expect(await stranger.tokens.get(token)).not.toBe(keyAuthorization);
  expect((await commandsOf(redis)) - before).toBe(0);
  expect(one.tokens.trial().token).not.toBe(token);
});

/** Lookups of keys and messages to other agents so far. */
async function commandsOf({ cli }: Awaited<ReturnType<typeof startRedis>>): Promise<number> {
  const stats = String(await cli('INFO', 'commandstats'));
  const calls = [...stats.matchAll(/cmdstat_(?:get|publish):calls=(\d+)/g)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}
