import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import type { TestProxy } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsConfig, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
/** Of the store under its default prefix. */
const meta = '{acme}:meta';

const otherDomain = {
  name: 'other.test',
  mode: 'individual',
  challenge: 'http-01',
  hosts: ['a.other.test'],
};
const hostsDomain = (hosts: readonly string[]) => ({ ...otherDomain, name: 'hosts.test', hosts });

/** What an agent says when it works. */
const deeds = ['command carried out', 'certificate issued', 'certificate deployed'];

interface World {
  readonly proxy: TestProxy;
  readonly redis: TestRedis;
  readonly site: AgentSite;
  /** A second machine: its own folder and port, the same shared configuration, store and master key unless told otherwise. */
  second(changes?: object): Promise<AgentSite>;
}

async function world(hosts: readonly string[]): Promise<World> {
  const pebble = keep(await startPebble());
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const options = { pebble, proxy, hosts, config: { redis: { url: redis.url } } };
  const site = await hostsSite(options);
  const second = async (changes: object = {}) => {
    const other = await agentSite({}, 'second');
    other.configure({
      ...hostsConfig(site, options),
      http01: { port: await freePort(), address: '127.0.0.1' },
      masterKey: { file: join(site.folder, 'data', 'master.key') },
      ...changes,
    });
    return other;
  };
  return { proxy, redis, site, second };
}

describe('two agents on one Redis', () => {
  it('order each of fifty certificates once', async () => {
    const hosts = hostNames(50);
    const { proxy, site, second } = await world(hosts);
    const [first, other] = await Promise.all([
      site.start(),
      until('there is a store', () => existsSync(join(site.folder, 'data', 'store-id'))).then(async () =>
        (await second()).start(),
      ),
    ]);
    keep(first);
    keep(other);
    await issued(site, hosts);
    expect(accepted(proxy, 'newOrder')).toBe(50);
    const ordered = [first, other].map((agent) => agent.output().split('certificate issued').length - 1);
    expect(ordered.reduce((sum, count) => sum + count)).toBe(50);
    expect(Math.min(...ordered)).toBeGreaterThan(0);
  });
});

describe('a second agent', () => {
  it('with another master key, or none, is refused and told the remedy', async () => {
    const { proxy, redis, site, second } = await world(hostNames(1));
    keep(await site.start());
    const withoutKey = await second({ masterKey: undefined });
    expect(await withoutKey.run('start')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Give this agent the store's master key"),
    });
    const keyFile = join(withoutKey.folder, 'other.key');
    writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
    const otherKey = await (await second({ masterKey: { file: keyFile } })).run('start');
    expect(otherKey.code).toBe(1);
    expect(otherKey.stderr).toContain('was made with another master key');
    await issued(site, hostNames(1));
    expect(accepted(proxy, 'newOrder')).toBe(1);
    expect(await redis.cli('HLEN', '{acme}:agents')).toBe(1);
  });

  it('of another schema is refused and told the remedy', async () => {
    const { redis, site, second } = await world(hostNames(1));
    keep(await site.start());
    await issued(site, hostNames(1));
    await redis.cli('HSET', meta, 'schema', '99');
    const refused = await (await second()).run('start');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('has schema 99');
    expect(refused.stderr).toContain('Run the same version of acme-agent everywhere on this store');
  });

  it('with another configuration does no work and says so, until the agents agree', async () => {
    const hosts = hostNames(6);
    const { proxy, site, second } = await world(hosts);
    const first = keep(await site.start());
    await issued(site, hosts);
    const otherSite = await second({ domains: [otherDomain] });
    const other = keep(await otherSite.start());
    expect(other.output()).toContain('this one does no work until they agree');
    expect((await site.run('-q', 'domains', 'list')).stdout.trim()).toBe('hosts.test');
    const check = await otherSite.run('check', '--quiet');
    expect(check.stdout).toMatch(
      /^warn {4}agents: agents disagree, so some do no work; \S+: with another configuration than this file; \S+: with this one\. Give all the same file.*\n$/,
    );
    expect(check.code).toBe(0);
    const renewal = await otherSite.run('renew-all', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect(accepted(proxy, 'newOrder')).toBe(12);
    for (const deed of deeds) {
      expect(first.output()).toContain(deed);
      expect(other.output()).not.toContain(deed);
    }
    await first.stop();
    await until('it stands alone', () => other.output().includes('agree again'), 30_000);
    await until('its file counts', async () =>
      (await otherSite.run('-q', 'domains', 'list')).stdout.includes('other.test'),
    );
    const added = await otherSite.run('hosts', 'add', 'b.other.test');
    expect(added, added.stderr).toMatchObject({ code: 0 });
  }, 120_000);

  it('whose file alone was changed lays down its work at SIGHUP, and takes it up when the other follows', async () => {
    const hosts = hostNames(2);
    const { proxy, site, second } = await world(hosts);
    const first = keep(await site.start());
    await issued(site, hosts);
    const otherSite = await second();
    const other = keep(await otherSite.start());
    expect(other.output()).not.toContain('another configuration');

    const changed = { domains: [hostsDomain(hosts), otherDomain] };
    otherSite.configure({ ...parse(readFileSync(otherSite.configFile, 'utf8')), ...changed });
    process.kill(other.pid, 'SIGHUP');
    await until('it says so', () => other.output().includes('this one does no work until they agree'));
    const before = accepted(proxy, 'newOrder');
    const renewal = await otherSite.run('renew-all', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect(other.output().split('agree').at(-1)).not.toContain('certificate issued');
    expect(accepted(proxy, 'newOrder')).toBe(before + 2);

    site.configure({ ...parse(readFileSync(site.configFile, 'utf8')), ...changed });
    process.kill(first.pid, 'SIGHUP');
    await until('it goes on', () => other.output().includes('agree again'), 30_000);
    expect(first.output()).not.toContain('another configuration');
  }, 120_000);
});

describe('an agent that was killed', () => {
  it.each(['its own Redis', 'a Redis of others'])(
    'goes on at once with an edited file, on %s',
    async (kind) => {
      const hosts = hostNames(2);
      const pebble = keep(await startPebble());
      const own = kind === 'its own Redis';
      const config = own ? {} : { redis: { url: keep(await startRedis()).url } };
      const site = await hostsSite({ pebble, hosts: hosts.slice(1), config });
      const first = await site.start();
      await issued(site, hosts.slice(1));
      await first.kill('SIGKILL');
      site.configure(hostsConfig(site, { pebble, hosts, config }));
      const second = keep(await site.start());
      expect(second.output()).not.toContain('another configuration');
      await issued(site, hosts, { timeoutMs: 30_000 });
    },
    90_000,
  );
});

describe('start --accept-empty-store', () => {
  it('beside an agent with another configuration waits for it, then takes over what the targets have', async () => {
    const hosts = hostNames(2);
    const { proxy, redis, site, second } = await world(hosts);
    const first = await site.start();
    const before = await issued(site, hosts);
    await first.stop(20_000);
    await redis.cli('FLUSHALL');
    const other = keep(await (await second({ domains: [{ ...otherDomain, hosts: [] }] })).start());
    const again = keep(await site.start({ args: ['--accept-empty-store'] }));
    expect(again.output()).toContain('this one does no work until they agree');
    expect(again.output()).not.toContain('taken over from its target');
    await other.stop();
    const adopted = () => again.output().match(/certificate taken over from its target/g)?.length === 2;
    await until('it takes over what is there', adopted, 30_000);
    const renewal = await site.run('renew-all', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect([...(await issued(site, hosts))]).toEqual([...before]);
    expect(accepted(proxy, 'newOrder')).toBe(2);
  }, 120_000);
});

describe('a Redis that was flushed', () => {
  it('is not taken for a new store: no order until the operator says so', async () => {
    const hosts = hostNames(2);
    const { proxy, redis, site } = await world(hosts);
    const first = await site.start();
    await issued(site, hosts);
    await first.stop();
    await redis.cli('FLUSHALL');
    const refused = await site.run('start');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('holds no store');
    expect(refused.stderr).toContain('acme-agent start --accept-empty-store');
    expect(accepted(proxy, 'newOrder')).toBe(2);
    expect(await redis.cli('DBSIZE')).toBe(0);
  });

  it('under a running agent gets no write and the CA no order', async () => {
    const hosts = hostNames(2);
    const { proxy, redis, site } = await world(hosts);
    keep(await site.start());
    const before = await issued(site, hosts);
    await redis.cli('FLUSHALL');
    await expect(sendCommand(redis, 'hosts.add', ['h9.hosts.test'])).rejects.toThrow();
    await expect(sendCommand(redis, 'renew-all', undefined)).rejects.toThrow(/^store\.lost: .*restore/);
    const renewal = await site.run('renew-all', '--force', '--wait');
    expect(renewal.code).toBe(1);
    expect(renewal.stderr).toContain('acme-agent start --accept-empty-store');
    expect(accepted(proxy, 'newOrder')).toBe(2);
    expect([...(await issued(site, hosts))]).toEqual([...before]);
  });
});

/** Past the CLI, which looks at the store itself. */
async function sendCommand(
  { port }: TestRedis,
  name: string,
  names: readonly string[] | undefined,
): Promise<void> {
  const options = { connection: { host: '127.0.0.1', port }, prefix: '{acme}:q' };
  const [queue, events] = [new Queue('commands', options), new QueueEvents('commands', options)];
  try {
    await events.waitUntilReady();
    const job = await queue.add(name, { v: 1, input: names === undefined ? { force: true } : { names } });
    await job.waitUntilFinished(events, 20_000);
  } finally {
    await Promise.all([queue.close(), events.close()]);
  }
}
