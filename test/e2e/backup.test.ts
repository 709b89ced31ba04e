import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openStore } from '../../src/store/index.ts';
import { masterKey, silentLog } from '../store/samples.ts';
import { type AgentSite, main } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const hosts = hostNames(2);
const quarter = 15 * 60_000;
const keep = keepUntilEnd();
let pebble: TestPebble;

beforeAll(async () => {
  // A rejected nonce would count as one more call.
  pebble = await startPebble({ nonceReject: 0 });
});

afterAll(() => pebble.stop());

async function runningSite(redis: object = {}) {
  const proxy = keep(await proxyBefore(pebble));
  const site = await hostsSite({ pebble, proxy, hosts, config: { redis } });
  const agent = keep(await site.start());
  return { proxy, site, agent, first: await issued(site, hosts) };
}

/** Said in one line, with a remedy behind what is wrong. */
async function refused(site: AgentSite, command: readonly string[], code: number, words: RegExp) {
  const answer = await site.run(...command);
  const [line = ''] = answer.stderr.split('\n');
  expect(line).toMatch(words);
  expect(line).toMatch(/\.$/);
  expect(answer).toMatchObject({ code, stdout: '' });
}

it('the data directory that was lost comes back from a backup with the same certificates, and nothing is ordered', async () => {
  const { proxy, site, agent, first } = await runningSite();
  const data = join(site.folder, 'data');
  const [file, key] = [join(site.folder, 'all.backup'), join(site.folder, 'saved.key')];
  copyFileSync(join(data, 'master.key'), key);
  expect(await site.run('backup', file)).toMatchObject({ code: 0 });
  const whole = readFileSync(file);
  const beside = readdirSync(site.folder);
  expect(await backupOfOneBlock(site, file)).toMatch(
    /^acme-agent: the backup \/.* cannot be written: it is larger/,
  );
  expect(readFileSync(file)).toEqual(whole);
  expect(readdirSync(site.folder)).toEqual(beside);
  await agent.stop(20_000);
  rmSync(data, { recursive: true });

  await refused(
    site,
    ['restore', file],
    2,
    /opens only with the master key [0-9a-f]{8}, and there is no key in \/.*\/data\/master\.key\. Give this agent the store's master key/,
  );
  expect(existsSync(data)).toBe(false);
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, 'master.key'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
  await refused(
    site,
    ['restore', file],
    2,
    /was made with the master key [0-9a-f]{8}, this one is [0-9a-f]{8}\./,
  );
  expect(readdirSync(data)).toEqual(['master.key']);

  copyFileSync(key, join(data, 'master.key'));
  expect(await site.run('restore', file)).toMatchObject({ code: 0, stderr: '' });
  keep(await site.start());
  expect(await site.run('renew-all', '--wait')).toMatchObject({ code: 0 });
  expect(await issued(site, hosts)).toEqual(first);
  expect(accepted(proxy, 'newOrder')).toBe(hosts.length);
  expect(accepted(proxy, 'newAccount')).toBe(1);
});

it('the agent makes a backup by itself soon after keys changed, and it holds them', async () => {
  const redis = keep(await startRedis());
  const { proxy, site, agent, first } = await runningSite({ url: redis.url });
  const dueAt = Number(await redis.cli('ZSCORE', '{acme}:due', 'upkeep:backup'));
  expect(dueAt).toBeGreaterThan(Date.now());
  expect(dueAt).toBeLessThanOrEqual(Date.now() + quarter);
  const folder = join(site.folder, 'data', 'backups');
  expect(existsSync(folder)).toBe(false);
  await agent.stop(20_000);

  await redis.cli('ZADD', '{acme}:due', '0', 'upkeep:backup');
  const second = keep(await site.start());
  await until('the backup is written', () => second.output().includes('backup written'));
  await second.stop(20_000);
  const [name = '', ...others] = readdirSync(folder);
  expect(others).toEqual([]);
  await redis.cli('FLUSHALL');
  // A key made in its place now would be in the way of the restore.
  const [key, saved] = [join(site.folder, 'data', 'master.key'), join(site.folder, 'saved.key')];
  renameSync(key, saved);
  await refused(
    site,
    ['certs', 'list'],
    2,
    /the master key file .* is missing, but the store was made with one/,
  );
  expect(existsSync(key)).toBe(false);
  renameSync(saved, key);
  expect(await site.run('restore', join(folder, name))).toMatchObject({ code: 0, stderr: '' });
  keep(await site.start());
  expect(await site.run('renew-all', '--wait')).toMatchObject({ code: 0 });
  expect(await issued(site, hosts)).toEqual(first);
  expect(accepted(proxy, 'newOrder')).toBe(hosts.length);
});

it('a restore is refused while an agent runs, which it names, and then as long as the store is not empty', async () => {
  const redis = keep(await startRedis());
  const { site, agent, first } = await runningSite({ url: redis.url });
  const file = join(site.folder, 'all.backup');
  expect(await site.run('backup', file)).toMatchObject({ code: 0 });
  const [id] = (await redis.cli('HKEYS', '{acme}:agents')) as string[];
  const running = new RegExp(`an agent runs on the store at redis:.*: ${id}\\. Stop every agent`);
  await refused(site, ['restore', file], 1, running);
  await refused(site, ['restore', '--force', file], 1, running);
  expect(await issued(site, hosts)).toEqual(first);
  expect((await site.run('certs', 'list')).code).toBe(0);
  await agent.stop(20_000);
  const full = /is not empty\. Take a backup of what is there, then give --force/;
  await refused(site, ['restore', file], 1, full);
  expect(await site.run('restore', '--force', file)).toMatchObject({ code: 0 });
});

it('a backup to a place that cannot be written is refused with what to do', async () => {
  const redis = keep(await startRedis());
  const key = masterKey();
  const site = await hostsSite({
    pebble,
    hosts,
    config: { redis: { url: redis.url }, masterKey: { file: 'master.key' } },
  });
  const text = Buffer.from(key.reveal()).toString('hex');
  writeFileSync(join(site.folder, 'master.key'), `${text}\n`, { mode: 0o600 });
  const store = await openStore({
    redis: { url: redis.url },
    masterKeys: [key],
    clock: systemClock,
    log: silentLog,
  });
  await store.close();
  writeFileSync(join(site.folder, 'file'), '');
  await refused(
    site,
    ['backup', join(site.folder, 'file', 'x')],
    2,
    /below something that is not a folder\. Give this user the right to write there/,
  );
  const before = readdirSync(site.folder);
  await refused(
    site,
    ['backup', site.folder],
    2,
    /there is a folder of this name\. Name a file; it may be in that folder\.$/m,
  );
  await refused(
    site,
    ['backup', `${site.folder}/`],
    2,
    /there is a folder of this name\. Name a file; it may be in that folder\.$/m,
  );
  expect(readdirSync(site.folder)).toEqual(before);
});

/** By a process whose files may have one block of 1024 bytes; what it says. */
function backupOfOneBlock({ configFile }: AgentSite, file: string): Promise<string> {
  const command = [process.execPath, main, '--config', configFile, 'backup', file];
  return new Promise((resolve) => {
    execFile('bash', ['-c', 'ulimit -f 1; exec "$@"', 'limited', ...command], (_error, _stdout, stderr) =>
      resolve(stderr),
    );
  });
}
