import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import {
  accepted,
  asked,
  breakOrders,
  deployed,
  explained,
  hostNames,
  hostsSite,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();
const hour = 3_600_000;

async function siteWith(limits: unknown, count: number) {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const hosts = hostNames(count);
  const issuers = { pebble: { ...issuerAt(pebble, proxy), limits } };
  const config = { issuers, concurrency: { issuance: 1 } };
  return { proxy, hosts, site: await hostsSite({ pebble, proxy, hosts, config }) };
}

const level = z.object({
  name: z.string(),
  about: z.string().optional(),
  left: z.number(),
  count: z.number(),
});
const answer = z.object({
  issuers: z.array(z.object({ issuer: z.string(), limits: z.array(level) })),
  orders: z.array(z.object({ lineage: z.string(), readyAt: z.iso.datetime(), limit: z.string().optional() })),
});

describe('the limits of a CA', () => {
  it('are kept: what has no room waits, and "budget" and "why" say for what and until when', async () => {
    const { site, proxy, hosts } = await siteWith({ ordersPerAccount: { count: 2, per: '1h' } }, 3);
    keep(await site.start());
    await until(
      'two are issued',
      () => hosts.filter((host) => deployed(site, host)?.selfSigned === false).length === 2,
    );
    const [late = ''] = hosts.filter((host) => deployed(site, host)?.selfSigned !== false);
    await explained(site, late, 'Its order waits for room at pebble: orders of the account (2 in 1 hour).');
    expect(accepted(proxy, 'newOrder')).toBe(2);
    const { issuers, orders } = answer.parse(await site.json('budget'));
    expect(issuers).toEqual([
      { issuer: 'pebble', limits: [{ name: 'ordersPerAccount', left: 0, count: 2 }] },
    ]);
    expect(orders).toEqual([
      expect.objectContaining({ lineage: `hosts.test/${late}/ec`, limit: expect.any(String) }),
    ]);
    const waitMs = Date.parse(orders[0]?.readyAt ?? '') - Date.now();
    expect(waitMs).toBeGreaterThan(0.4 * hour);
    expect(waitMs).toBeLessThan(0.6 * hour);
    const shown = await site.ask('budget', late, 'new.hosts.test', '--issuer', 'pebble');
    expect(shown.stdout).toMatch(/pebble +orders of the account +0 of 2 in 1 hour +in \d+ minutes/);
    expect(shown.stdout).toMatch(
      /new\.hosts\.test +pebble +in \d+ minutes +orders of the account \(2 in 1 hour\)/,
    );
    expect(await site.ask('budget', '--issuer', 'other')).toMatchObject({ code: 4 });
  });

  it('are learnt from its answers: the others do not run into what one ran into', async () => {
    const limits = { certificatesPerDomain: { count: 50, per: '7d' } };
    const { site, proxy, hosts } = await siteWith(limits, 4);
    const detail =
      'too many certificates (50) already issued for "hosts.test" in the last 168h0m0s: see https://ca.test/#new-certificates-per-registered-domain';
    const body = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    breakOrders(proxy, { code: 429, headers: { 'retry-after': '3600' }, body });
    keep(await site.start());
    await until('all wait', async () => {
      const { orders } = answer.parse(await site.json('budget'));
      return orders.length === hosts.length - 1;
    });
    expect(asked(proxy)).toBe(1);
  });
});

describe('an issuer that has paused a name', () => {
  it('is asked once and not again by "renew", but at once after "retry"', async () => {
    const { site, proxy, hosts } = await siteWith(undefined, 1);
    const [host = ''] = hosts;
    const url = 'https://portal.ca.test/unpause?jwt=abc';
    const detail = `Your account is temporarily prevented from requesting certificates for ${host}. Please visit: ${url}`;
    const fault = breakOrders(proxy, {
      code: 429,
      body: { type: 'urn:ietf:params:acme:error:rateLimited', detail },
    });
    keep(await site.start());
    const told = await explained(site, host, 'pebble has paused it since');
    expect(told).toContain(url);
    expect(told).toMatch(/Next: attempt 2 at .* \(in [67] days\)/);
    const refused = await site.ask('renew', host, '--wait');
    expect(refused.code).not.toBe(0);
    expect(refused.stdout).toContain(`acme-agent retry hosts.test/${host}/ec`);
    expect(asked(proxy)).toBe(1);
    fault.mend();
    expect(await site.ask('retry', host, '--wait')).toMatchObject({ code: 0 });
    await issued(site, [host]);
    expect((await site.ask('why', host)).stdout).not.toContain('paused');
  });
});
