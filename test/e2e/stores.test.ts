import { createPrivateKey } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aclRulesFor, newerCommands } from '../../src/store/acl.ts';
import { startCluster } from '../store/servers.ts';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { createSecretSearch } from '../support/secret-search.ts';
import { accepted, deployed, hostsSite, issued, type Keep, keepFor, proxyBefore } from './given.ts';

const renewed = 'h0.hosts.test';
const other = 'h1.hosts.test';
const hosts = [renewed, other];
/** Each with a CA of its own, which looks for the answers of one agent. */
async function siteOn(keep: Keep, redis: object): Promise<AgentSite> {
  return hostsSite({ pebble: keep(await startPebble()), hosts, config: { redis } });
}

const listed = z.object({
  certificates: z.array(z.object({ id: z.string(), state: z.string(), serial: z.string() })),
});

/** Serial numbers by host, as `certs list` shows them of certificates that are well. */
async function serials(site: AgentSite): Promise<Record<string, string>> {
  const { certificates } = listed.parse(await site.json('certs', 'list'));
  const well = certificates.filter(({ state }) => state === 'ok');
  return Object.fromEntries(well.map(({ id, serial }) => [id.split('/')[1] ?? '', serial]));
}

function served(site: AgentSite): Record<string, string> {
  return Object.fromEntries(hosts.map((host) => [host, deployed(site, host)?.serial.toLowerCase() ?? '']));
}

/** Of all hosts; waits for the end of what is under way. */
async function serialsListedAndServed(site: AgentSite): Promise<Record<string, string>> {
  let seen: Record<string, string> = {};
  await until('the list shows what is served', async () => {
    seen = await serials(site);
    return hosts.every((host) => seen[host] !== undefined && seen[host] === served(site)[host]);
  });
  return seen;
}

/** TLS only; the agent's user may do what the documented rules allow, and `cli` is an administrator's. */
async function startGuarded(keep: Keep): Promise<{ redis: TestRedis; options: object }> {
  const [password, user] = ['p@ss_word:/1', { name: 'admin', password: 'another-p@ss_word' }];
  const aclFile = join(testFolder('acl'), 'users.acl');
  // The server of the tests may be older than the newest commands.
  const lines = [
    'user default off',
    `user acme-agent >${password} ${aclRulesFor('{acme}', newerCommands)}`,
    `user ${user.name} on >${user.password} ~* &* +@all`,
  ];
  writeFileSync(aclFile, `${lines.join('\n')}\n`, { mode: 0o600 });
  const redis = keep(await startRedis({ tls: true, aclFile, user }));
  const url = `rediss://127.0.0.1:${redis.port}`;
  return { redis, options: { url, username: 'acme-agent', password, tls: { ca: redis.caFile } } };
}

/** Issues, deploys and lists on this store, renews by a command, and says by what means the store is durable. */
async function lives(keep: Keep, site: AgentSite): Promise<string> {
  const agent = keep(await site.start());
  const first = await issued(site, hosts);
  const renewal = await site.ask('renew', renewed, '--force', '--wait');
  expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
  await issued(site, [renewed], { before: first });
  expect((await serialsListedAndServed(site))[other]).toBe(first.get(other)?.toLowerCase());
  return /"durable":"(\w+)"/.exec(agent.output())?.[1] ?? 'unknown';
}

/** What an agent says that does not start. */
async function refusal(site: AgentSite): Promise<string> {
  try {
    await (await site.start()).stop();
    return 'it started';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe.concurrent('an agent issues, deploys, lists and renews', () => {
  it('on a Redis of its own', async (test) => {
    const keep = keepFor(test);
    expect(await lives(keep, await siteOn(keep, {}))).toBe('always');
  });

  it('on a Redis with TLS and a user of least rights', async (test) => {
    const keep = keepFor(test);
    const { redis, options } = await startGuarded(keep);
    expect(await lives(keep, await siteOn(keep, options))).toBe('always');
    expect(await redis.cli('ACL', 'DRYRUN', 'acme-agent', 'FLUSHALL')).toContain('no permissions');
  });

  it('on a cluster of three', async (test) => {
    const keep = keepFor(test);
    const cluster = keep(await startCluster());
    const nodes = cluster.endpoints.map(({ host, port }) => `${host}:${port}`);
    expect(await lives(keep, await siteOn(keep, { cluster: nodes }))).toBe('always');
  });

  it('on a Valkey that syncs every second, where each durable write waits for its sync', async (test) => {
    const keep = keepFor(test);
    const valkey = keep(await startRedis({ valkey: true, args: ['--appendfsync', 'everysec'] }));
    expect(await lives(keep, await siteOn(keep, { url: valkey.url }))).toBe('waitaof');
    expect(String(await valkey.cli('INFO', 'commandstats'))).toMatch(/cmdstat_waitaof:calls=[1-9]/);
  });
});

describe.concurrent('a Redis that may lose certificates', () => {
  it('is refused for its sync with the remedy, and taken where the operator accepts the risk', async (test) => {
    const keep = keepFor(test);
    const redis = keep(await startRedis({ args: ['--appendfsync', 'everysec'] }));
    const site = await siteOn(keep, { url: redis.url });
    const words = await refusal(site);
    expect(words).toContain('may lose acknowledged writes: appendonly is yes, appendfsync everysec');
    expect(words).toContain('redis.durability: relaxed');
    expect(await lives(keep, await siteOn(keep, { url: redis.url, durability: 'relaxed' }))).toBe('none');
  });

  it('is refused for its eviction with the remedy', async (test) => {
    const keep = keepFor(test);
    const redis = keep(await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] }));
    const words = await refusal(await siteOn(keep, { url: redis.url }));
    expect(words).toContain('its maxmemory-policy is allkeys-lru');
    expect(words).toContain('Set maxmemory-policy noeviction');
  });
});

describe.concurrent('a store that was lost', () => {
  it('in Redis comes back from a backup with the same certificates, and nothing is ordered', async (test) => {
    const keep = keepFor(test);
    const { redis, options } = await startGuarded(keep);
    const lose = async (_: AgentSite, file: string) => {
      await redis.cli('FLUSHALL');
      const stranger = await siteOn(keep, options);
      const refused = await stranger.ask('restore', file);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('master key') });
      expect(await redis.cli('DBSIZE')).toBe(0);
    };
    await comesBack(keep, { redis: options, lose });
  });

  it("of the agent's own comes back likewise", async (test) => {
    const keep = keepFor(test);
    const lose = async (site: AgentSite) => rmSync(join(site.folder, 'data', 'redis'), { recursive: true });
    await comesBack(keep, { redis: {}, lose });
  });
});

async function comesBack(
  keep: Keep,
  lost: {
    readonly redis: object;
    readonly lose: (site: AgentSite, file: string) => Promise<void>;
  },
): Promise<void> {
  // A rejected nonce would count as one more call.
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const site = await hostsSite({ pebble, proxy, hosts, config: { redis: lost.redis } });
  const first = await site.start();
  await issued(site, hosts);
  const before = await serialsListedAndServed(site);
  const file = await backup(site);
  await first.stop();
  await lost.lose(site, file);

  const words = await refusal(site);
  expect(words).toContain('holds no store, but');
  expect(words).toContain('acme-agent restore FILE');
  const restored = await site.ask('restore', file);
  expect(restored, restored.stderr).toMatchObject({ code: 0 });
  keep(await site.start());
  const renewal = await site.ask('renew-all', '--wait');
  expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
  expect(await serials(site)).toEqual(before);
  expect(served(site)).toEqual(before);
  expect(accepted(proxy, 'newOrder')).toBe(hosts.length);
}

/** Makes one by the command; it must be readable by its owner only, and by nobody without the master key. */
async function backup(site: AgentSite): Promise<string> {
  const file = join(site.folder, 'everything.backup');
  const made = await site.ask('backup', file);
  expect(made, made.stderr).toMatchObject({ code: 0 });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const content = readFileSync(file);
  expect(content.includes('hosts.test')).toBe(false);
  expect(createSecretSearch(keysServed(site))(content)).toEqual([]);
  return file;
}

function keysServed(site: AgentSite): Buffer[] {
  return hosts.map((host) => {
    const path = join(site.folder, 'certificates', 'hosts.test', host, 'privkey.pem');
    return createPrivateKey(readFileSync(path)).export({ format: 'der', type: 'pkcs8' });
  });
}
