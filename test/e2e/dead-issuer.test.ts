import { describe, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, asked, breakOrders, hostNames, hostsSite, issued, keepFor, proxyBefore } from './given.ts';
import { issuersOf, twoIssuers, unavailable } from './two-issuers.ts';

describe.concurrent('a dead issuer', () => {
  it('is asked by a few of ten hosts; the others go to the next at once', async (test) => {
    const keep = keepFor(test);
    const hosts = hostNames(10);
    const redis = keep(await startRedis());
    const config = { redis: { url: redis.url }, concurrency: { issuance: 2 } };
    const { site, first, second } = await twoIssuers(keep, hosts, config);
    const fault = breakOrders(first, unavailable);
    keep(await site.start());
    await until('most are issued', () => accepted(second, 'newOrder') >= 8);
    const renewal = await site.ask('renew-all', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    const before = await issued(site, hosts);
    expect(asked(first)).toBeLessThanOrEqual(6);
    expect(accepted(second, 'newOrder')).toBe(10);

    fault.mend();
    // As if its breaker had opened earlier: it lets one through now.
    await redis.cli('HSET', '{acme}:issuer-breakers', 'first', String(Date.now() - 600_000));
    expect(await site.ask('renew', 'h0.hosts.test', '--force', '--wait')).toMatchObject({ code: 0 });
    expect(accepted(first, 'newOrder')).toBe(1);
    expect(await site.ask('renew-all', '--force', '--wait')).toMatchObject({ code: 0 });
    await issued(site, hosts, { before });
    expect(await issuersOf(site)).toEqual(hosts.map(() => 'first'));
  });

  it('holds nobody up for ever when there is no other: the breaker lets one through now and then', async (test) => {
    const keep = keepFor(test);
    const [host = ''] = hostNames(1);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const first = keep(await proxyBefore(pebble));
    const fault = breakOrders(first, unavailable);
    const site = await hostsSite({ pebble, proxy: first, hosts: [host] });
    keep(await site.start());
    await until('the first attempt', () => asked(first) === 1);
    for (const times of [2, 3, 4]) {
      await site.ask('renew', host, '--wait');
      expect(asked(first)).toBe(times);
    }
    fault.mend();
    await site.ask('renew', host);
    await issued(site, [host], { timeoutMs: 120_000 });
    expect(asked(first)).toBe(5);
  });
});
