import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { PatientSentinelConnector } from '../../src/store/sentinel.ts';
import { until } from '../support/process.ts';
import { startSentinel } from './servers.ts';

/** Spread, so that at any moment some clients are just asking for the master. */
const pause = () => 5 + Math.random() * 200;

test('clients that look for the master when a new one becomes known all find it', async () => {
  const servers = await startSentinel();
  const clients = Array.from({ length: 100 }, () => {
    const client = new Redis({
      sentinels: [...servers.sentinels],
      name: 'mymaster',
      failoverDetector: true,
      Connector: PatientSentinelConnector,
      retryStrategy: pause,
      sentinelRetryStrategy: pause,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => {});
    return client;
  });
  onTestFinished(async () => {
    for (const client of clients) client.disconnect();
    await servers.stop();
  });
  const watching = clients.map((client) => new Promise((resolve) => client.once('ready', resolve)));
  await Promise.all(watching);
  await servers.master.kill('SIGKILL');
  await until(
    'the replica is master',
    async () => String(await servers.replica.cli('ROLE')).startsWith('master'),
    30_000,
  );
  await until('all clients are back', () => clients.every(({ status }) => status === 'ready'));
  expect(await Promise.all(clients.map((client) => client.ping()))).toEqual(clients.map(() => 'PONG'));
});
