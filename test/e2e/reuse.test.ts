import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { accepted, deployed, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
const domain = 'zone.test';
const [www, api] = ['www.zone.test', 'api.zone.test'] as const;

/** A domain by HTTP-01 or DNS-01, of which commands say what is served. */
async function world() {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const { managementUrl: url, dnsAddress: dns } = pebble.dns ?? {};
  const zones = { provider: 'challtestsrv', zones: [domain], url, dns };
  const config = { dnsAccounts: { zones }, resolvers: [dns], domains: [] };
  const site = await hostsSite({ pebble, proxy, hosts: [], config });
  keep(await site.start());
  return { site, orders: () => accepted(proxy, 'newOrder') };
}

const keyOf = ({ folder }: AgentSite, label: string) =>
  new X509Certificate(readFileSync(join(folder, 'certificates', domain, label, 'cert.pem'))).publicKey
    .export({ type: 'spki', format: 'der' })
    .toString('hex');

describe('a certificate that is held', () => {
  it('is there again for a host that comes back, and for hosts of a wildcard that is no longer wanted, without an order', async () => {
    const { site, orders } = await world();
    const shown = (label: string) => deployed(site, label, domain)?.serial;
    await site.json(
      'domains',
      'add',
      domain,
      '--mode',
      'individual',
      '--challenge',
      'http-01',
      '--hosts',
      www,
    );
    const first = (await issued(site, [www], { domain })).get(www);
    await site.json('hosts', 'remove', www);
    await site.json('hosts', 'add', www);
    expect(await site.json('certs', 'show', `${domain}/${www}/ec`)).toMatchObject({
      state: 'ok',
      wanted: { serial: first?.toLowerCase() },
    });
    expect([orders(), shown(www)]).toEqual([1, first]);

    await site.json(
      'domains',
      'set',
      domain,
      '--mode',
      'wildcard',
      '--challenge',
      'dns-01',
      '--dns-account',
      'zones',
    );
    const label = `*.${domain}`;
    const wildcard = (await issued(site, [label], { domain })).get(label);
    await site.json('domains', 'set', domain, '--mode', 'individual');
    await site.json('hosts', 'add', api);
    await until('the new host has the wildcard', () => shown(api) === wildcard);
    expect([orders(), shown(www)]).toEqual([2, first]);
  }, 90_000);

  it('gives its key to its successor where the domain wants that, unless the key is compromised', async () => {
    const { site } = await world();
    const add = ['domains', 'add', domain, '--mode', 'individual', '--challenge', 'http-01'];
    await site.json(...add, '--reuse-key', '--hosts', `${www},${api}`);
    const next = async (label: string, ...command: readonly string[]) => {
      const before = await issued(site, [label], { domain });
      const { code, stderr } = await site.ask(...command, '--wait');
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      await issued(site, [label], { domain, before });
      return keyOf(site, label);
    };
    await issued(site, [www, api], { domain });
    const keys = [www, api].map((label) => keyOf(site, label));
    expect(new Set(keys).size).toBe(2);
    expect(await next(www, 'renew', www, '--force')).toBe(keys[0]);
    expect(await next(api, 'revoke', api, '--reason', 'keyCompromise')).not.toBe(keys[1]);
  }, 90_000);
});
