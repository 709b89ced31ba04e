import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { connectEmbedded, type EmbeddedServer, startEmbedded } from '../../src/store/embedded.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { installOn } from '../../src/store/server-program.ts';
import { readProcess } from '../support/proc.ts';
import { startProcess, until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';
import { domain, masterKey, silentLog } from './samples.ts';
import { describeStore } from './suite.ts';

const masterKeys = [masterKey()];
const environment = process.env;

function start(dataDir: string): Promise<EmbeddedServer> {
  return startEmbedded({ dataDir, environment, clock: systemClock, log: silentLog });
}

function open(server: Pick<EmbeddedServer, 'redis'>, dataDir: string): Promise<Store> {
  return openStore({ redis: server.redis, dataDir, masterKeys, clock: systemClock, log: silentLog });
}

/** A process of its own that owns the data directory; `said` is its first line. */
async function startOwner(dataDir: string) {
  const script = fileURLToPath(new URL('../../dist/test/store/owner.js', import.meta.url));
  const owner = await startProcess({ name: 'owner', command: [process.execPath, script, dataDir] });
  await until('the owner says how it went', () => owner.output().includes('\n'));
  return { ...owner, said: owner.output().split('\n')[0] ?? '' };
}

describeStore('the embedded server', async () => {
  const server = await start(testFolder('embedded'));
  return { redis: server.redis, stop: server.stop };
});

test('the embedded server is private to its user and leaves nothing running', async () => {
  const dataDir = testFolder('embedded');
  const server = await start(dataDir);
  const { socketPath = '' } = server.redis;
  expect(statSync(join(dataDir, 'redis')).mode & 0o777).toBe(0o700);
  expect(statSync(socketPath).mode & 0o777).toBe(0o700);
  expect(await connectEmbedded(dataDir)).toEqual({ socketPath });
  await server.stop();
  expect(readProcess(server.pid())).toBeUndefined();
  expect(existsSync(join(dataDir, 'agent.lock'))).toBe(false);
  await expect(connectEmbedded(dataDir)).rejects.toMatchObject({ code: 'store.notRunning' });
});

test('what was written before an orderly stop is there at the next start', async () => {
  const dataDir = testFolder('embedded');
  for (const name of ['first.test', 'second.test']) {
    const server = await start(dataDir);
    const store = await open(server, dataDir);
    await store.changes.commit({ putDomains: [domain(name)] });
    if (name === 'second.test') expect(await store.wishes.domains()).toHaveLength(2);
    await store.close();
    await server.stop();
  }
});

test('a second start on the data directory is refused, in this process and in another', async () => {
  const dataDir = testFolder('embedded');
  const server = await start(dataDir);
  onTestFinished(() => server.stop());
  await expect(start(dataDir)).rejects.toMatchObject({
    code: 'store.running',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  const owner = await startOwner(dataDir);
  expect(owner.said).toContain('already owns');
  await owner.exited;
  expect(await connectEmbedded(dataDir)).toBeDefined();
});

test('the server of a killed agent goes on, and the next agent takes it over with its data', async () => {
  const dataDir = testFolder('embedded');
  const owner = await startOwner(dataDir);
  const pid = Number(owner.said.split(' ')[1]);
  const before = await open({ redis: await connectEmbedded(dataDir) }, dataDir);
  await before.changes.commit({ putDomains: [domain('kept.test')], durable: true });
  await owner.kill('SIGKILL');
  await before.changes.commit({ putDomains: [domain('later.test')] });
  await before.close();

  const server = await start(dataDir);
  expect(server.pid()).toBe(pid);
  const after = await open(server, dataDir);
  expect((await after.wishes.domains()).map(({ name }) => name)).toEqual(['kept.test', 'later.test']);
  await after.close();
  await server.stop();
  expect(readProcess(pid)).toBeUndefined();
});

test('a server of a killed agent that does not answer any more gives way, and its data stays', async () => {
  const dataDir = testFolder('embedded');
  const owner = await startOwner(dataDir);
  const pid = Number(owner.said.split(' ')[1]);
  const before = await open({ redis: await connectEmbedded(dataDir) }, dataDir);
  await before.changes.commit({ putDomains: [domain('kept.test')], durable: true });
  await before.close();
  process.kill(pid, 'SIGSTOP');
  await owner.kill('SIGKILL');

  const server = await start(dataDir);
  expect(server.pid()).not.toBe(pid);
  expect(readProcess(pid)).toBeUndefined();
  const after = await open(server, dataDir);
  expect(await after.wishes.domain('kept.test')).toBeDefined();
  await after.close();
  await server.stop();
});

test('of several agents that start at once over the lock of a dead one, exactly one runs', async () => {
  const dataDir = testFolder('embedded');
  await writeFile(join(dataDir, 'agent.lock'), JSON.stringify({ pid: 1, startedAt: 'another boot' }));
  const owners = await Promise.all(Array.from({ length: 4 }, () => startOwner(dataDir)));
  expect(owners.filter(({ said }) => said.startsWith('serving'))).toHaveLength(1);
  await Promise.all(owners.map((owner) => owner.stop()));
});

test('a server that dies is started again with its data, and clients find it', async () => {
  const dataDir = testFolder('embedded');
  const server = await start(dataDir);
  const store = await open(server, dataDir);
  await store.changes.commit({ putDomains: [domain('safe.test')], durable: true });
  for (let round = 0; round < 2; round++) {
    const pid = server.pid();
    process.kill(pid, 'SIGKILL');
    await until('another server runs', () => server.pid() !== pid);
    await until('the store answers', async () => (await store.wishes.domain('safe.test')) !== undefined);
  }
  await store.close();
  await server.stop();
  expect(readProcess(server.pid())).toBeUndefined();
});

test('an emptied store behind a known data directory is refused, unless that is accepted', async () => {
  const dataDir = testFolder('embedded');
  const server = await start(dataDir);
  onTestFinished(() => server.stop());
  const store = await open(server, dataDir);
  expect(statSync(join(dataDir, 'store-id')).mode & 0o777).toBe(0o600);
  const client = store.createConnection('wait');
  await client.flushall();
  client.disconnect();
  await expect(store.changes.commit({ putDomains: [domain('x.test')] })).rejects.toMatchObject({
    code: 'store.lost',
  });
  await expect(store.ping()).rejects.toMatchObject({ code: 'store.lost' });
  await store.close();
  await expect(open(server, dataDir)).rejects.toMatchObject({ code: 'store.lost' });

  const accepted = await openStore({
    redis: server.redis,
    dataDir,
    acceptEmptyStore: true,
    masterKeys,
    clock: systemClock,
    log: silentLog,
  });
  expect(accepted.meta.storeId).not.toBe(store.meta.storeId);
  await accepted.close();
  await (await open(server, dataDir)).close();
});

test('without a server program the error says how to install one', async () => {
  const dataDir = testFolder('embedded');
  const empty = startEmbedded({
    dataDir,
    environment: { PATH: dataDir },
    clock: systemClock,
    log: silentLog,
  });
  await expect(empty).rejects.toMatchObject({
    code: 'store.noServer',
    message: expect.stringContaining('install one'),
  });
  expect(existsSync(join(dataDir, 'agent.lock'))).toBe(false);
  expect(installOn('debian')).toBe('apt-get install redis-server');
  expect(installOn('rhel fedora')).toContain('dnf');
  expect(installOn('alpine')).toBe('apk add redis');
});

test('a server that does not start is quoted', async () => {
  const dataDir = testFolder('embedded');
  await mkdir(join(dataDir, 'redis', 'appendonlydir'), { recursive: true });
  await writeFile(join(dataDir, 'redis', 'appendonlydir', 'appendonly.aof.manifest'), 'nonsense\n');
  await expect(start(dataDir)).rejects.toMatchObject({
    code: 'store.unavailable',
    message: expect.stringContaining('manifest'),
  });
});

test('a data directory with too long a path for a socket is refused with the remedy', async () => {
  const dataDir = join(testFolder('embedded'), 'x'.repeat(80));
  await expect(start(dataDir)).rejects.toMatchObject({
    code: 'config.invalid',
    message: expect.stringContaining('redis.url'),
  });
});
