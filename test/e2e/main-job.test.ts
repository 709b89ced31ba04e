import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PebbleOptions, startPebble, type TestPebble } from '../support/pebble.ts';
import { deployed, hostNames, hostsSite, issued, issuerAt, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();
const hosts = hostNames(4);
const wildcard = '*.zone.test';

async function bothWays(pebble: TestPebble) {
  const site = await hostsSite({ pebble, hosts });
  site.configure({
    http01: { port: pebble.httpPort, address: '127.0.0.1' },
    issuers: { pebble: issuerAt(pebble) },
    dnsAccounts: {
      zones: {
        provider: 'challtestsrv',
        zones: ['zone.test'],
        url: pebble.dns?.managementUrl,
        dns: pebble.dns?.dnsAddress,
      },
    },
    resolvers: [pebble.dns?.dnsAddress],
    deployTargets: { web: { target: 'files', path: join(site.folder, 'certificates') } },
    domains: [
      { name: 'hosts.test', mode: 'individual', challenge: 'http-01', hosts },
      { name: 'zone.test', dnsAccount: 'zones' },
    ],
  });
  return site;
}

describe('hosts by HTTP-01 and an apex with its wildcard by DNS-01 are issued, deployed and renewed', () => {
  const worlds: readonly (readonly [string, PebbleOptions])[] = [0, 5, 20, 50].flatMap((nonceReject) =>
    [0, 100].map(
      (authzReuse) =>
        [
          `with ${nonceReject} % of nonces rejected and ${authzReuse} % of authorizations reused`,
          { nonceReject, authzReuse, strict: true, retryAfter: { authz: 1, order: 1 } },
        ] as const,
    ),
  );

  it.each([...worlds, ["with Pebble's own random validation delays", { sleep: 4, strict: true }] as const])(
    '%s',
    async (_, options) => {
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
    120_000,
  );
});
