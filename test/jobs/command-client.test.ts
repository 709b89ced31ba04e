import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createCommandClient } from '../../jobs/queue.ts';
import { silentLog } from '../store/samples.ts';
import { until } from '../support/process.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
  return () => redis.stop();
});

function given(prefix: string, lookMs?: number) {
  const connect = () => new Redis(redis.url, { maxRetriesPerRequest: null });
  const options = () => {
    const connection = connect();
    onTestFinished(() => connection.disconnect());
    return { connection, prefix };
  };
  const client = createCommandClient({ connect: () => options().connection, prefix, log: silentLog, lookMs });
  const queue = new Queue('commands', options());
  const startWorker = (work: () => Promise<unknown>) => {
    const worker = new Worker('commands', work, options());
    onTestFinished(() => worker.close());
  };
  onTestFinished(async () => {
    await client.close();
    await queue.close();
  });
  return { client, queue, startWorker };
}

test('a command that Redis lost is sent again, and once only', async () => {
  const { client, queue, startWorker } = given('{lost}');
  const answer = client.send('renew', {}, 20_000);
  await until('it is there', async () => (await queue.getWaitingCount()) === 1);
  await queue.obliterate();
  await until('it is there again', async () => (await queue.getWaitingCount()) === 1);
  let times = 0;
  startWorker(async () => {
    times += 1;
    return 'done';
  });
  expect(await answer).toBe('done');
  expect(times).toBe(1);
});

test('a command that failed since Redis was away is sent anew, one that was refused is not', async () => {
  const { client, startWorker } = given('{away}');
  const words = ['store.unavailable: Redis does not serve', 'command.invalid: no such host'];
  startWorker(async () => {
    throw new Error(words.shift() ?? 'command.unknown: sent once too often');
  });
  await expect(client.send('renew', {}, 20_000)).rejects.toThrow('command.invalid: no such host');
});

test('a command for which no worker is there is given up long before its time, and stays', async () => {
  const { client, queue } = given('{lonely}', 200);
  const refusal = client.send('renew', {}, 600_000);
  await expect(refusal).rejects.toMatchObject({
    code: 'store.notRunning',
    message: 'no agent that works is there to take the command renew; it stays in the queue',
  });
  expect(await queue.getWaitingCount()).toBe(1);
});

test('a command whose worker is busy is waited for', async () => {
  const { client, startWorker } = given('{busy}', 100);
  let finish = () => {};
  const first = new Promise<void>((resolve) => {
    finish = resolve;
  });
  startWorker(() => first.then(() => 'done'));
  const answer = client.send('renew', {}, 600_000);
  // More looks than it takes to give up.
  setTimeout(finish, 1_500);
  expect(await answer).toBe('done');
});

test('a command that nobody takes is given up, and stays', async () => {
  const { client, queue } = given('{nobody}');
  await expect(client.send('renew', {}, 500)).rejects.toMatchObject({ code: 'store.notRunning' });
  expect(await queue.getWaitingCount()).toBe(1);
});
