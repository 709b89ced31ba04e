import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import type { FakeAnswer, TestProxy } from '../support/proxy.ts';
import {
  accepted,
  asked,
  breakOrders,
  hostNames,
  hostsSite,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();

/** Too long to be slept in a job, so that a fault costs no time. */
const retryAfter = { 'retry-after': '20' };
const unavailable: FakeAnswer = { code: 503, headers: retryAfter, body: 'upstream is down' };

interface World {
  readonly site: AgentSite;
  readonly first: TestProxy;
  readonly second: TestProxy;
}

/** One CA under two names, each with its own account. */
async function twoIssuers(hosts: readonly string[], config: object = {}): Promise<World> {
  const pebble = keep(await startPebble());
  const [first, second] = [keep(await proxyBefore(pebble)), keep(await proxyBefore(pebble))];
  const issuers = { first: issuerAt(pebble, first), second: issuerAt(pebble, second) };
  const defaults = { issuers: ['first', 'second'] };
  const site = await hostsSite({ pebble, hosts, config: { issuers, defaults, ...config } });
  return { site, first, second };
}

const listed = z.object({
  certificates: z.array(z.object({ id: z.string(), issuer: z.string().optional() })),
});

async function issuersOf(site: AgentSite): Promise<readonly (string | undefined)[]> {
  return listed.parse(await site.json('certs', 'list')).certificates.map(({ issuer }) => issuer);
}

describe('the second issuer', () => {
  const [host = ''] = hostNames(1);

  it.each<readonly [string, FakeAnswer]>([
    [
      'internal errors',
      { code: 500, headers: retryAfter, body: { type: 'urn:ietf:params:acme:error:serverInternal' } },
    ],
    ['an outage', unavailable],
  ])(
    'issues after three faults of the first, %s; the next renewal is back at the first',
    async (_, answer) => {
      const { site, first, second } = await twoIssuers([host]);
      const fault = breakOrders(first, answer);
      keep(await site.start());
      await until('the first is asked', () => asked(first) === 1);
      for (const times of [2, 3]) {
        await site.run('renew', host, '--wait');
        expect(asked(first)).toBe(times);
      }
      const before = await issued(site, [host]);
      expect(await issuersOf(site)).toEqual(['second']);
      expect([accepted(first, 'newOrder'), accepted(second, 'newOrder')]).toEqual([0, 1]);

      fault.mend();
      expect(await site.run('renew', host, '--force', '--wait')).toMatchObject({ code: 0 });
      await issued(site, [host], { before });
      expect(await issuersOf(site)).toEqual(['first']);
      expect([accepted(first, 'newOrder'), accepted(second, 'newOrder')]).toEqual([1, 1]);
    },
  );

  it('issues at once where waiting for the first is pointless: its rate limit outlasts the certificate', async () => {
    const { site, first, second } = await twoIssuers([host]);
    const body = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' };
    breakOrders(first, { code: 429, headers: { 'retry-after': '86400' }, body });
    keep(await site.start());
    await issued(site, [host]);
    expect([asked(first), accepted(second, 'newOrder')]).toEqual([1, 1]);
  });

  it('is not asked for what the first says about a name', async () => {
    const { site, first, second } = await twoIssuers([host], { http01: { port: 1, address: '127.0.0.1' } });
    keep(await site.start({ args: ['--roles', 'scheduler,worker'] }));
    for (const times of [1, 2, 3, 4]) {
      if (times > 1) await site.run('renew', host, '--wait');
      await until(`attempt ${times}`, () => accepted(first, 'newOrder') === times);
    }
    expect(asked(second)).toBe(0);
  });
});

describe('a dead issuer', () => {
  it('is asked by a few of ten hosts; the others go to the next at once', async () => {
    const hosts = hostNames(10);
    const { site, first, second } = await twoIssuers(hosts, { concurrency: { issuance: 2 } });
    const fault = breakOrders(first, unavailable);
    keep(await site.start());
    await until('most are issued', () => accepted(second, 'newOrder') >= 8);
    const renewal = await site.run('renew-all', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    const before = await issued(site, hosts);
    expect(asked(first)).toBeLessThanOrEqual(6);
    expect(accepted(second, 'newOrder')).toBe(10);

    fault.mend();
    await until(
      'its breaker lets one through',
      async () => {
        await site.run('renew', 'h0.hosts.test', '--force', '--wait');
        return accepted(first, 'newOrder') > 0;
      },
      90_000,
    );
    expect(await site.run('renew-all', '--force', '--wait')).toMatchObject({ code: 0 });
    await issued(site, hosts, { before });
    expect(await issuersOf(site)).toEqual(hosts.map(() => 'first'));
  }, 150_000);

  it('holds nobody up for ever when there is no other: the breaker lets one through now and then', async () => {
    const [host = ''] = hostNames(1);
    const pebble = keep(await startPebble());
    const first = keep(await proxyBefore(pebble));
    const fault = breakOrders(first, unavailable);
    const site = await hostsSite({ pebble, proxy: first, hosts: [host] });
    keep(await site.start());
    await until('the first attempt', () => asked(first) === 1);
    for (const times of [2, 3, 4]) {
      await site.run('renew', host, '--wait');
      expect(asked(first)).toBe(times);
    }
    fault.mend();
    await site.run('renew', host);
    await issued(site, [host], { timeoutMs: 60_000 });
    expect(asked(first)).toBe(5);
  }, 120_000);
});
