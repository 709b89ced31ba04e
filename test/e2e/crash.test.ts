import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { TestProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsSite, issued, keepFor, proxyBefore } from './given.ts';

describe.concurrent('a killed agent', () => {
  it('completes the same order after the CA accepted finalize and its answer was lost', async (test) => {
    const keep = keepFor(test);
    // The finalize that is held must be the one that the CA accepts.
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const redis = keep(await startRedis());
    const hosts = hostNames(1);
    const site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url } } });
    const held = proxy.hold('finalize');
    const first = await site.start();
    await held.seen;
    await first.kill('SIGKILL');
    held.drop();
    keep(await site.start());
    await issued(site, hosts, { timeoutMs: 60_000 });
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1, cert: 1 });
  });

  it('finds its own Redis and the same certificates when it is started again', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble());
    const proxy = keep(await proxyBefore(pebble));
    const hosts = hostNames(3);
    const site = await hostsSite({ pebble, proxy, hosts });
    const first = await site.start();
    const before = await issued(site, hosts);
    const redis = embeddedPid(site);
    await first.kill('SIGKILL');
    const second = keep(await site.start());
    expect(second.output()).toContain('embedded Redis of an earlier agent taken over');
    expect(embeddedPid(site)).toBe(redis);
    expect([...(await issued(site, hosts))]).toEqual([...before]);
    const { certificates } = (await site.json('certs', 'list')) as { certificates: { serial: string }[] };
    expect(certificates.map(({ serial }) => serial.toUpperCase())).toEqual(
      expect.arrayContaining([...before.values()]),
    );
    const twice = await site.run('start');
    expect(twice.code).toBe(1);
    expect(twice.stderr).toContain('set redis.url to run several agents');
    expect(accepted(proxy, 'newOrder')).toBe(hosts.length);
  });
});

describe.concurrent('Redis killed under load', () => {
  const hosts = hostNames(40);

  it('loses nothing when it comes back', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble());
    const proxy = keep(await proxyBefore(pebble));
    const redis = keep(await startRedis());
    const site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url } } });
    keep(await site.start());
    await someFinalized(proxy);
    await redis.kill('SIGKILL');
    await redis.start();
    await issued(site, hosts, { timeoutMs: 120_000 });
    expect(finalizedOrders(proxy)).toBe(hosts.length);
  });

  it('does not keep an agent from ending', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble());
    const redis = keep(await startRedis());
    const site = await hostsSite({ pebble, hosts: hostNames(1), config: { redis: { url: redis.url } } });
    const agent = await site.start();
    await issued(site, hostNames(1));
    await redis.kill('SIGKILL');
    expect(await agent.stop(60_000)).toMatchObject({ code: 0 });
  });

  it('loses nothing when it is the own Redis of the agent, which starts it again', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble());
    const proxy = keep(await proxyBefore(pebble));
    const site = await hostsSite({ pebble, proxy, hosts });
    const agent = keep(await site.start());
    const redis = embeddedPid(site);
    await someFinalized(proxy);
    process.kill(redis, 'SIGKILL');
    await issued(site, hosts, { timeoutMs: 120_000 });
    expect(finalizedOrders(proxy)).toBe(hosts.length);
    expect(agent.output()).toContain('embedded Redis is gone; starting it again');
    expect(embeddedPid(site)).not.toBe(redis);
  });
});

function embeddedPid({ folder }: AgentSite): number {
  const text = readFileSync(join(folder, 'data', 'redis', 'server.json'), 'utf8');
  return (JSON.parse(text) as { pid: number }).pid;
}

async function someFinalized(proxy: TestProxy): Promise<void> {
  await until('some orders are finalized', () => finalizedOrders(proxy) >= 5);
}

/** A finalize that is repeated after a lost answer is no second order. */
function finalizedOrders({ calls }: TestProxy): number {
  return new Set(calls.filter(({ kind }) => kind === 'finalize').map(({ path }) => path)).size;
}
