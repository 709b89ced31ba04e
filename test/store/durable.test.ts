import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createDurableWriter } from '../../src/store/durable.ts';
import { connectRedis, type RedisClient } from '../../src/store/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { silentLog } from './samples.ts';

const key = '{acme}:meta';

async function writerOn(valkey: TestRedis) {
  const connect = () => connectRedis({ url: valkey.url }, { clock: systemClock, log: silentLog });
  const link = await connect();
  const writer = createDurableWriter({ link, key, durability: 'required', connect, clock: systemClock });
  onTestFinished(async () => {
    await writer.close();
    await link.close();
    await valkey.stop();
  });
  return writer;
}

function startValkey(): Promise<TestRedis> {
  return startRedis({ valkey: true, args: ['--appendfsync', 'everysec'] });
}

test('a write whose connection broke before the wait for the disk does not count as safe', async () => {
  const valkey = await startValkey();
  const writer = await writerOn(valkey);
  const writeAndLose = async (client: RedisClient) => {
    await client.set('{acme}:x', '1');
    const again = once(client, 'ready');
    await valkey.cli('CLIENT', 'KILL', 'ID', String(await client.call('CLIENT', 'ID')));
    await again;
  };
  await expect(writer.run(writeAndLose)).rejects.toMatchObject({ code: 'store.unavailable' });
  await expect(writer.run((client) => client.set('{acme}:x', '2'))).resolves.toBe('OK');
});

test('a write that the server refuses fails alone, and the others of its batch are safe', async () => {
  const writer = await writerOn(await startValkey());
  const [good, bad, also] = await Promise.allSettled([
    writer.run((client) => client.set('{acme}:x', '1')),
    writer.run((client) => client.hset('{acme}:x', 'field', '1')),
    writer.run((client) => client.set('{acme}:y', '1')),
  ]);
  expect([good?.status, also?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(bad).toMatchObject({ reason: { code: 'bug', message: expect.stringContaining('WRONGTYPE') } });
});

test('a durable write is over no sooner than the server has synced it, though its WAITAOF may say so before', async () => {
  const writer = await writerOn(await startValkey());
  const write = (value: string) => writer.run((client) => client.set('{acme}:x', value));
  // It begins a sync at most once a second, and each of the two needs one that began after it.
  const before = performance.now();
  await write('1');
  await write('2');
  expect(performance.now() - before).toBeGreaterThan(900);
});

test('a server whose log is switched off meanwhile does not pass for a safe one', async () => {
  const valkey = await startValkey();
  const writer = await writerOn(valkey);
  await writer.run((client) => client.set('{acme}:x', '1'));
  await valkey.cli('CONFIG', 'SET', 'appendonly', 'no');
  await expect(writer.run((client) => client.set('{acme}:x', '2'))).rejects.toMatchObject({
    code: 'store.durability',
    message: expect.stringContaining('WAITAOF'),
  });
});
