import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { TestRedis } from '../support/redis.ts';
import { accepted, hostNames, issued, keepUntilEnd } from './given.ts';
import { sharedStore } from './shared-store.ts';

const keep = keepUntilEnd();
/** Of the store under its default prefix. */
const meta = '{acme}:meta';

describe('two agents on one Redis', () => {
  it('order each of fifty certificates once', async () => {
    const hosts = hostNames(50);
    const { proxy, site, second } = await sharedStore(keep, hosts);
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
    const { proxy, redis, site, second } = await sharedStore(keep, hostNames(1));
    keep(await site.start());
    const withoutKey = await second({ masterKey: undefined });
    expect(await withoutKey.run('start')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Give this agent the store's master key"),
    });
    const keyFile = join(withoutKey.folder, 'other.key');
    writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
    const otherKey = await (await second({ masterKey: { file: keyFile } })).run('start');
    expect(otherKey.code).toBe(2);
    expect(otherKey.stderr).toMatch(/was made with the master key [0-9a-f]{8}, this one is [0-9a-f]{8}\./);
    await issued(site, hostNames(1));
    expect(accepted(proxy, 'newOrder')).toBe(1);
    expect(await redis.cli('HLEN', '{acme}:agents')).toBe(1);
  });

  it('of another schema is refused and told the remedy', async () => {
    const { redis, site, second } = await sharedStore(keep, hostNames(1));
    keep(await site.start());
    await issued(site, hostNames(1));
    await redis.cli('HSET', meta, 'schema', '99');
    const refused = await (await second()).run('start');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('has schema 99');
    expect(refused.stderr).toContain('Run the same version of acme-agent everywhere on this store');
  });
});

describe('a Redis that was flushed', () => {
  it('is not taken for a new store: no order until the operator says so', async () => {
    const hosts = hostNames(2);
    const { proxy, redis, site } = await sharedStore(keep, hosts);
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
    const { proxy, redis, site } = await sharedStore(keep, hosts);
    keep(await site.start());
    const before = await issued(site, hosts);
    await redis.cli('FLUSHALL');
    await expect(sendCommand(redis, 'hosts.add', ['h9.hosts.test'])).rejects.toThrow();
    await expect(sendCommand(redis, 'renew-all', undefined)).rejects.toThrow(/^store\.lost: .*restore/);
    const renewal = await site.ask('renew-all', '--force', '--wait');
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
