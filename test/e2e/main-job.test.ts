import { describe, expect, it } from 'vitest';
import { ask } from '../edge/port80-kit.ts';
import type { AgentSite } from '../support/agent.ts';
import { type PebbleOptions, startPebble, type TestPebble } from '../support/pebble.ts';
import type { Call } from '../support/proxy.ts';
import {
  accepted,
  deployed,
  hostNames,
  hostsDomain,
  hostsSite,
  issued,
  keepFor,
  proxyBefore,
} from './given.ts';

const hosts = hostNames(4);
const wildcard = '*.zone.test';

function bothWays(pebble: TestPebble): Promise<AgentSite> {
  const { managementUrl: url, dnsAddress: dns } = pebble.dns ?? {};
  const zones = { provider: 'challtestsrv', zones: ['zone.test'], url, dns };
  const domains = [hostsDomain(hosts), { name: 'zone.test', dnsAccount: 'zones' }];
  return hostsSite({ pebble, hosts, config: { dnsAccounts: { zones }, resolvers: [dns], domains } });
}

describe.concurrent('hosts by HTTP-01 and an apex with its wildcard by DNS-01 are issued, deployed and renewed', () => {
  const worlds: readonly (readonly [string, PebbleOptions])[] = [0, 5, 20, 50].flatMap((nonceReject) =>
    [0, 100].map(
      (authzReuse) =>
        [
          `with ${nonceReject} % of nonces rejected and ${authzReuse} % of authorizations reused`,
          { nonceReject, authzReuse, strict: true, retryAfter: { authz: 1, order: 1 } },
        ] as const,
    ),
  );

  it.for([...worlds, ["with Pebble's own random validation delays", { sleep: 4, strict: true }] as const])(
    '%s',
    { timeout: 120_000 },
    async ([, options], context) => {
      const keep = keepFor(context);
      const pebble = keep(await startPebble(options));
      const site = await bothWays(pebble);
      keep(await site.start());
      const first = await issued(site, hosts);
      const firstWildcard = await issued(site, [wildcard], { domain: 'zone.test' });
      expect(deployed(site, wildcard, 'zone.test')?.names).toBe('DNS:zone.test, DNS:*.zone.test');

      const renewal = await site.run('renew-all', '--force', '--wait');
      expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
      const second = await issued(site, hosts, { before: first });
      await issued(site, [wildcard], { domain: 'zone.test', before: firstWildcard });
      expect(new Set([...first.values(), ...second.values()]).size).toBe(2 * hosts.length);
    },
  );
});

describe('an agent with one host', () => {
  const problem = (type: string) => ({ type: `urn:ietf:params:acme:error:${type}`, detail: 'not this one' });

  it('C15 sends visitors of its port 80 to HTTPS; a renewal names its predecessor, and is ordered once more without where the CA does not like that', async (context) => {
    const keep = keepFor(context);
    const [host = ''] = hosts;
    const pebble = keep(await startPebble());
    const proxy = keep(await proxyBefore(pebble));
    const site = await hostsSite({ pebble, proxy, hosts: [host] });
    keep(await site.start());
    let before = await issued(site, [host]);
    expect(await ask(pebble.httpPort, '/a?b', { headers: { host } })).toMatchObject({
      status: 308,
      headers: { location: `https://${host}/a?b` },
    });
    expect(await ask(pebble.httpPort, '/', { headers: { host: 'other.test' } })).toMatchObject({
      status: 404,
    });

    const renew = async () => {
      const renewal = await site.run('renew', host, '--force', '--wait');
      expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
      before = await issued(site, [host], { before });
    };
    const replacing = () => proxy.calls.filter(namesPredecessor).map(({ status }) => status);

    await renew();
    expect(replacing().at(-1)).toBe(201);
    const refusals = [
      { code: 409, body: problem('alreadyReplaced') },
      { code: 404, body: problem('malformed') },
      // Not slept out in the job: it asks for more than ten seconds.
      { code: 500, body: problem('serverInternal'), headers: { 'retry-after': '20' } },
    ];
    for (const [index, refusal] of refusals.entries()) {
      proxy.status(namesPredecessor, { nonce: true, ...refusal });
      await renew();
      expect(replacing().at(-1)).toBe(refusal.code);
      expect(accepted(proxy, 'newOrder')).toBe(3 + index);
    }
  });
});

function namesPredecessor({ kind, payload }: Call): boolean {
  return kind === 'newOrder' && payload instanceof Object && 'replaces' in payload;
}
