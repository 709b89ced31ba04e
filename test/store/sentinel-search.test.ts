import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { connectRedis, createClientFor } from '../../src/store/redis.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { silentLog } from './samples.ts';
import { startSentinel } from './servers.ts';

const needs = { clock: systemClock, log: silentLog };

/** For what is refused: the time in which sentinels may come to name a master is over at the first fault. */
function impatient(): typeof needs {
  let give = () => {};
  const after = (_ms: number, run: () => void) => {
    give = run;
    return () => {};
  };
  return { clock: { ...systemClock, after }, log: { ...silentLog, warn: () => give() } };
}

async function clientsOf(count: number) {
  const servers = await startSentinel();
  const redis = { sentinels: servers.sentinels };
  const clients = Array.from({ length: count }, () => createClientFor(redis, 'wait', silentLog));
  onTestFinished(async () => {
    for (const client of clients) client.disconnect();
    await servers.stop();
  });
  const portsReached = async () => {
    const answers = await Promise.all(clients.map((client) => client.info('server')));
    return new Set(answers.map((info) => Number(/tcp_port:(\d+)/.exec(info)?.[1])));
  };
  return { servers, clients, portsReached };
}

test('clients that look for the master when a new one becomes known all find it', async () => {
  const { servers, clients, portsReached } = await clientsOf(100);
  expect(await portsReached()).toEqual(new Set([servers.master.port]));
  await servers.master.kill('SIGKILL');
  await until('the replica is master', async () =>
    String(await servers.replica.cli('ROLE')).startsWith('master'),
  );
  await until('all clients are back', () => clients.every(({ status }) => status === 'ready'));
  expect(await portsReached()).toEqual(new Set([servers.replica.port]));
});

test('all clients change over when the sentinel names another master, though the old one still serves', async () => {
  const { servers, clients, portsReached } = await clientsOf(20);
  await portsReached();
  const left = Promise.all(clients.map((client) => new Promise((resolve) => client.once('close', resolve))));
  await servers.failover();
  await left;
  expect(String(await servers.master.cli('ROLE'))).toMatch(/^master/);
  expect(await portsReached()).toEqual(new Set([servers.replica.port]));
});

test('a client that is told to reconnect while it looks for the master finds it', async () => {
  const { clients } = await clientsOf(1);
  const [client] = clients;
  for (const _ of Array(5)) {
    await until('it looks', () => client?.status === 'connecting');
    client?.disconnect(true);
  }
  expect(await client?.ping()).toBe('PONG');
});

test('a sentinel that accepts and never answers is passed over', async () => {
  const servers = await startSentinel();
  const port = await freePort();
  const mute = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
  const link = await connectRedis({ sentinels: [{ host: '127.0.0.1', port }, ...servers.sentinels] }, needs);
  onTestFinished(async () => {
    await link.close();
    mute.close();
    await servers.stop();
  });
  expect(await link.run((client) => client.ping())).toBe('PONG');
});

test('sentinels with a password and TLS of their own are asked with both', async () => {
  const password = 'sentinel-p@ss:word';
  const servers = await startSentinel({
    tls: true,
    args: ['--tls-replication', 'no'],
    config: [`requirepass ${password}`],
    user: { name: 'default', password },
  });
  onTestFinished(servers.stop);
  const redis = { sentinels: servers.sentinels, sentinelTls: { caPem: servers.sentinel.ca } };
  const link = await connectRedis({ ...redis, sentinelPassword: secret(password) }, needs);
  onTestFinished(() => link.close());
  expect(await link.run((client) => client.ping())).toBe('PONG');

  const stranger = connectRedis({ ...redis, sentinelPassword: secret('wrong-one') }, impatient());
  await expect(stranger).rejects.toThrow(/no sentinel names a master: WRONGPASS/);
  await expect(stranger).rejects.not.toThrow(/wrong-one/);
});

test('a master with a password and TLS is reached by plain sentinels', async () => {
  const user = { name: 'default', password: 'master-p@ss:word' };
  const master = await startRedis({ tls: true, user, config: [`requirepass ${user.password}`] });
  const folder = dirname(master.caFile ?? '');
  const sentinel = await startRedis({
    sentinel: true,
    args: ['--tls-replication', 'yes', '--tls-ca-cert-file', join(folder, 'ca.pem')].concat(
      ['--tls-cert-file', join(folder, 'tls.pem')],
      ['--tls-key-file', join(folder, 'tls.key')],
    ),
    config: [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
      `sentinel auth-pass mymaster ${user.password}`,
    ],
  });
  const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
  const password = secret(user.password);
  const link = await connectRedis({ sentinels, password, tls: { caPem: master.ca } }, needs);
  onTestFinished(async () => {
    await link.close();
    await sentinel.stop();
    await master.stop();
  });
  expect(await link.run((client) => client.ping())).toBe('PONG');
  await expect(connectRedis({ sentinels, password, tls: {} }, impatient())).rejects.toThrow(/certificate/);
});

test('a group that the sentinels do not know is named', async () => {
  const servers = await startSentinel();
  onTestFinished(servers.stop);
  const unknown = connectRedis({ sentinels: servers.sentinels, sentinelName: 'other' }, impatient());
  await expect(unknown).rejects.toThrow(/no master named other/);
});
