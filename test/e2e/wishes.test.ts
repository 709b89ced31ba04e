import { appendFileSync, readFileSync } from 'node:fs';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { AgentSite } from '../support/agent.ts';
import { type PebbleOptions, startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { TestProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import {
  accepted,
  deployed,
  hostNames,
  hostsConfig,
  hostsSite,
  issued,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();
const hostsDomain = { name: 'hosts.test', mode: 'individual', challenge: 'http-01' };

interface World {
  readonly site: AgentSite;
  readonly proxy: TestProxy;
  /** Jobs of orders in this state. */
  jobs(state: 'waiting' | 'active' | 'delayed'): Promise<number>;
}

/** Without rejected nonces, so that a held call is one that the CA took. */
async function world(hosts: readonly string[], options: PebbleOptions, config: object = {}): Promise<World> {
  const pebble = keep(await startPebble({ nonceReject: 0, ...options }));
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url }, ...config } });
  const queue = new Queue('issuance', {
    connection: { host: '127.0.0.1', port: redis.port },
    prefix: '{acme}:q',
  });
  keep({ stop: () => queue.close() });
  return { site, proxy, jobs: async (state) => (await queue.getJobCounts(state))[state] ?? 0 };
}

const taskStarted = z.object({ taskId: z.string() });
const taskShown = z.object({
  task: z.object({
    state: z.string(),
    items: z.array(z.object({ id: z.string(), state: z.string(), note: z.string().optional() })),
  }),
});

async function askFor(host: string, site: AgentSite): Promise<string> {
  return taskStarted.parse(await site.json('renew', host, '--force')).taskId;
}

async function ended(taskId: string, site: AgentSite): Promise<{ state: string; note: string | undefined }> {
  let items: z.infer<typeof taskShown>['task']['items'] = [];
  await until(`task ${taskId} ends`, async () => {
    const { task } = taskShown.parse(await site.json('task', 'show', taskId));
    items = task.items;
    return task.state !== 'running';
  });
  return { state: items[0]?.state ?? '', note: items[0]?.note };
}

async function idle({ jobs }: World): Promise<void> {
  await until('no order is asked for any more', async () => {
    const counts = await Promise.all([jobs('waiting'), jobs('active'), jobs('delayed')]);
    return counts.every((count) => count === 0);
  });
}

describe('a forced renewal asked for', () => {
  it('while the job waits is carried out once', async () => {
    const hosts = hostNames(2);
    const given = await world(hosts, {}, { concurrency: { issuance: 1 } });
    const { site, proxy, jobs } = given;
    keep(await site.start());
    const before = await issued(site, hosts);
    const held = proxy.hold('newOrder');
    await askFor('h0.hosts.test', site);
    await held.seen;
    const first = await askFor('h1.hosts.test', site);
    expect(await jobs('waiting')).toBe(1);
    const second = await askFor('h1.hosts.test', site);
    expect(await jobs('waiting')).toBe(1);
    held.release();
    const after = await issued(site, hosts, { before });
    expect(await ended(second, site)).toEqual({
      state: 'done',
      note: after.get('h1.hosts.test')?.toLowerCase(),
    });
    expect(await ended(first, site)).toEqual({ state: 'skipped', note: `taken over by ${second}` });
    await idle(given);
    expect(accepted(proxy, 'newOrder')).toBe(4);
  });

  it('while it is delayed wakes it, and the order under way carries it out', async () => {
    const hosts = hostNames(1);
    const given = await world(hosts, { retryAfter: { authz: 1, order: 200 } });
    const { site, proxy, jobs } = given;
    keep(await site.start());
    await until('the order sleeps until the CA asked for', async () => (await jobs('delayed')) === 1);
    const task = await askFor('h0.hosts.test', site);
    const serials = await issued(site, hosts);
    expect(await ended(task, site)).toEqual({
      state: 'done',
      note: serials.get('h0.hosts.test')?.toLowerCase(),
    });
    await idle(given);
    expect(accepted(proxy, 'newOrder')).toBe(1);
    expect(accepted(proxy, 'finalize')).toBe(1);
  });

  it('while it is active, with a delay following, does not sleep through the delay', async () => {
    const hosts = hostNames(1);
    const given = await world(hosts, { retryAfter: { authz: 1, order: 200 } });
    const { site, proxy, jobs } = given;
    const held = proxy.hold('finalize');
    keep(await site.start());
    await held.seen;
    const task = await askFor('h0.hosts.test', site);
    expect([await jobs('active'), await jobs('delayed')]).toEqual([1, 0]);
    held.release();
    const serials = await issued(site, hosts);
    expect(await ended(task, site)).toEqual({
      state: 'done',
      note: serials.get('h0.hosts.test')?.toLowerCase(),
    });
    await idle(given);
    expect(accepted(proxy, 'newOrder')).toBe(1);
    expect(accepted(proxy, 'finalize')).toBe(1);
  });

  it('while it is active, before the order is there, is not lost when that order ends', async () => {
    const hosts = hostNames(1);
    const given = await world(hosts, {});
    const { site, proxy } = given;
    const held = proxy.hold('cert');
    keep(await site.start());
    await held.seen;
    const task = await askFor('h0.hosts.test', site);
    held.release();
    const { state, note } = await ended(task, site);
    expect(state).toBe('done');
    await until(
      'the second one is served',
      () => deployed(site, 'h0.hosts.test')?.serial.toLowerCase() === note,
    );
    await idle(given);
    expect(accepted(proxy, 'newOrder')).toBe(2);
  });
});

describe('SIGHUP', () => {
  it('takes a changed file: a new host is issued, a removed one keeps its certificate; a file with mistakes changes nothing', async () => {
    const pebble = keep(await startPebble());
    const proxy = keep(await proxyBefore(pebble));
    const names = ['h0.hosts.test', 'h1.hosts.test'];
    const site = await hostsSite({ pebble, proxy, hosts: names });
    const agent = keep(await site.start());
    const before = await issued(site, names);

    site.configure(hostsConfig(site, { pebble, proxy, hosts: ['h0.hosts.test', 'h2.hosts.test'] }));
    process.kill(agent.pid, 'SIGHUP');
    await issued(site, ['h2.hosts.test']);
    expect(await hostsOf(site)).toEqual(['h0.hosts.test', 'h2.hosts.test']);
    expect([...(await issued(site, names))]).toEqual([...before]);
    expect(accepted(proxy, 'newOrder')).toBe(3);

    site.configure(hostsConfig(site, { pebble, proxy, hosts: ['h0.hosts.test', 'h3.hosts.test'] }));
    appendFileSync(site.configFile, 'issuer: {}\nhttp01: yes\n');
    process.kill(agent.pid, 'SIGHUP');
    await until('the agent has said so', () => agent.output().includes('the old one stays'));
    const lines = agent.output().trimEnd().split('\n');
    const told = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
    const reasons = expect.arrayContaining([
      expect.stringMatching(/acme-agent\.yaml:\d+: issuer: unknown key/),
    ]);
    expect(told).toMatchObject([{ code: 'config.invalid', reasons }]);
    site.configure(hostsConfig(site, { pebble, proxy, hosts: ['h0.hosts.test', 'h2.hosts.test'] }));
    expect(await hostsOf(site)).toEqual(['h0.hosts.test', 'h2.hosts.test']);
    const renewal = await site.ask('renew', 'h2.hosts.test', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect(accepted(proxy, 'newOrder')).toBe(4);
  });
});

describe('SIGHUP while an order is under way', () => {
  it('takes the changed file, and the same order is finished', async () => {
    const hosts = hostNames(1);
    const given = await world(hosts, {});
    const { site, proxy } = given;
    const held = proxy.hold('finalize');
    const agent = keep(await site.start());
    await held.seen;
    site.configure({
      ...parse(readFileSync(site.configFile, 'utf8')),
      domains: [{ ...hostsDomain, hosts: ['h0.hosts.test', 'h1.hosts.test'] }],
      renewal: { ceilingDays: 20 },
      concurrency: { issuance: 2 },
      http01: { port: 1, address: '127.0.0.1' },
      log: { level: 'warn' },
    });
    process.kill(agent.pid, 'SIGHUP');
    await issued(site, ['h1.hosts.test']);
    expect(deployed(site, 'h0.hosts.test')?.selfSigned).toBe(true);
    held.release();
    const serials = await issued(site, hosts);
    await idle(given);
    expect(deployed(site, 'h0.hosts.test')?.serial).toBe(serials.get('h0.hosts.test'));
    expect(accepted(proxy, 'newOrder')).toBe(2);
    expect(accepted(proxy, 'finalize')).toBe(2);
    expect(accepted(proxy, 'cert')).toBe(2);
    const [, after = ''] = agent.output().split('need a restart');
    expect(agent.output()).toMatch(/"keys":\["http01"\]/);
    expect(after).not.toContain('"level":"info"');
  });
});

async function hostsOf(site: AgentSite): Promise<readonly string[]> {
  return (await site.ask('-q', 'hosts', 'list')).stdout.trim().split('\n');
}
