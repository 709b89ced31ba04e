import { type AddressInfo, connect, createServer } from 'node:net';
import type { ConnectionOptions } from 'bullmq';
import { expect, it, onTestFinished } from 'vitest';
import { createCommandClient } from '../../jobs/queue.ts';
import { AgentError } from '../../src/core/errors.ts';
import { startShops } from './given.ts';

const shops = startShops();
/** Longer than a worker takes for a command. */
const lateMs = 100;

/** A way to the same Redis on which what is asked arrives late. */
async function slowWay(port: number): Promise<ConnectionOptions> {
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
    client.on('data', (data) => setTimeout(() => redis.write(data), lateMs));
    redis.pipe(client);
    for (const one of [client, redis]) one.on('error', () => {});
    client.on('close', () => redis.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, maxRetriesPerRequest: null };
}

it.each(['completed', 'refused'])(
  'a command that was %s before its sender listens is answered all the same',
  async (end) => {
    const shop = await shops.open();
    shop.start({}, async () => {
      if (end === 'refused') throw new AgentError('command.conflict', 'nothing fails for a.test');
      return { taskId: 'task-1' };
    });
    const events = await slowWay(await shops.port);
    const ways = [shop.options.connect(), events];
    const client = createCommandClient({ ...shop.options, connect: () => ways.shift() ?? events });
    const answer = await client.send('ack', { v: 1 }, 20_000).catch((error: Error) => error.message);
    await client.close();
    expect(answer).toEqual(
      end === 'refused' ? expect.stringMatching(/^command\.conflict: nothing fails/) : { taskId: 'task-1' },
    );
  },
);
