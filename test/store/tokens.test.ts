import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openStore } from '../../src/store/index.ts';
import { anyRedis } from '../support/any-redis.ts';
import { raw } from './agents.ts';
import { masterKey, silentLog } from './samples.ts';

test('C15 a known token is answered from memory: the store is asked once for all who come together', async () => {
  const redis = await anyRedis();
  onTestFinished(() => redis.stop());
  let now = Date.now();
  const options = { redis: { url: redis.url }, prefix: redis.prefix(), masterKeys: [masterKey()] };
  const open = async () => {
    const store = await openStore({ ...options, clock: { ...systemClock, now: () => now }, log: silentLog });
    onTestFinished(() => store.close());
    return store;
  };
  const [one, other] = [await open(), await open()];
  await one.tokens.put('tok', 'tok.auth', now + 60_000);
  expect(await other.tokens.get('tok')).toBe('tok.auth');
  await raw(one, (client) => client.del(`${options.prefix}:token:tok`));
  for (const agent of [one, other]) expect(await agent.tokens.get('tok')).toBe('tok.auth');
  now += 2_001;
  expect(await one.tokens.get('tok')).toBe('tok.auth');
  expect(await other.tokens.get('tok')).toBeUndefined();
});
