import { join } from 'node:path';
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { agentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import type { Call } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { opened, shown } from './account-facts.ts';
import {
  accepted,
  hostNames,
  hostsConfig,
  hostsSite,
  issued,
  type Keep,
  keepFor,
  proxyBefore,
} from './given.ts';

async function oneAgent(keep: Keep, hosts: readonly string[]) {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const options = { pebble, proxy, hosts, config: { redis: { url: redis.url } } };
  return { redis, proxy, options, site: await hostsSite(options) };
}

/** Without waiting for an answer. */
async function ask({ port }: TestRedis, name: string, input: object): Promise<void> {
  const queue = new Queue('commands', { connection: { host: '127.0.0.1', port }, prefix: '{acme}:q' });
  await queue.add(name, { v: 1, input });
  await queue.close();
}

describe.concurrent('a new key for the account', () => {
  it('is used by every agent for its next order', async (test) => {
    const keep = keepFor(test);
    const [first = '', ...later] = hostNames(13);
    const { proxy, site, options } = await oneAgent(keep, [first]);
    keep(await site.start());
    await issued(site, [first]);
    const other = await agentSite({}, 'second');
    other.configure({
      ...hostsConfig(site, options),
      http01: { port: await freePort(), address: '127.0.0.1' },
      masterKey: { file: join(site.folder, 'data', 'master.key') },
    });
    const second = keep(await other.start());
    await site.json('hosts', 'add', ...later.slice(0, 6));
    await issued(site, later.slice(0, 6));
    const before = await shown(site);

    expect((await site.ask('account', 'rollover', 'pebble')).stdout).toContain('has a new key');
    const after = await shown(other);
    expect(after).toMatchObject({ state: 'ok', url: before.url, rolledAt: expect.any(String) });
    expect(after.thumbprint).not.toBe(before.thumbprint);
    await site.json('hosts', 'add', ...later.slice(6));
    await issued(site, later.slice(6));
    // Both had a session from before.
    expect(second.output()).toContain('certificate issued');
    expect(opened(proxy)).toBe(1);
    expect(accepted(proxy, 'finalize')).toBe(13);
    const { stdout } = await site.ask('account', 'list');
    expect(stdout).toContain(before.url);
  });

  it.for(['before the CA hears of it', 'after the CA took it'])(
    'is found out by the next start when the agent is killed %s',
    { timeout: 150_000 },
    async (when, test) => {
      const keep = keepFor(test);
      const [first = '', later = ''] = hostNames(2);
      const { proxy, site, redis } = await oneAgent(keep, [first]);
      const agent = await site.start();
      await issued(site, [first]);
      const before = await shown(site);
      let told = () => {};
      const seen = new Promise<void>((resolve) => {
        told = resolve;
      });
      const isCut = ({ kind }: Call) => {
        if (kind === 'keyChange') told();
        return kind === 'keyChange';
      };
      const isBefore = when.startsWith('before');
      const held = isBefore ? undefined : proxy.hold('keyChange');
      held?.seen.then(told, () => {});
      if (isBefore) proxy.cut(isCut, 'before');
      await ask(redis, 'account.rollover', { issuer: 'pebble' });
      await seen;
      await agent.kill('SIGKILL');
      held?.drop();
      expect((await shown(site)).state).toBe('changing-key');
      const next = keep(await site.start());
      await site.json('hosts', 'add', later);
      await issued(site, [later], { timeoutMs: 60_000 });
      await until('the key is settled', () => next.output().includes('the ACME account has a new key'));
      const after = await shown(site);
      expect(after).toMatchObject({ state: 'ok', url: before.url });
      expect(after.thumbprint).not.toBe(before.thumbprint);
      expect(opened(proxy)).toBe(1);
    },
  );
});
