import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startBind } from '../support/bind.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { issued, keepUntilEnd } from './given.ts';
import { bindAccount, recordsOf, zonesSite } from './zones.ts';

const keep = keepUntilEnd();
const shortlived = { name: 'shortlived', required: true };
const day = 86_400_000;

it('dns-account-01 and dns-persist-01 prove a name and its wildcard to Pebble; the record of the latter stays until its domain goes', async () => {
  const bind = keep(await startBind({ zones: ['account.test', 'persist.test'] }));
  const pebble = keep(await startPebble({ dnsServer: bind.address }));
  const site = await zonesSite({
    pebble,
    dns: bind.address,
    account: bindAccount(bind),
    domains: [{ name: 'account.test', challenge: 'dns-account-01', profile: shortlived }],
    config: { experimental: ['dns-account-01', 'dns-persist-01'], dnsPersist: { days: 400 } },
  });
  const before = await recordsOf(bind, 'account.test');
  const untouched = await recordsOf(bind, 'persist.test');
  const permissions = async () =>
    (await recordsOf(bind, 'persist.test')).filter((line) => line.startsWith('_validation-persist.'));
  keep(await site.start());

  const options = ['--challenge', 'dns-persist-01', '--dns-account', 'zones', '--reuse-key'];
  const add = ['domains', 'add', 'persist.test', ...options];
  expect(await site.ask(...add)).toMatchObject({ code: 0 });
  const label = ['*.persist.test'];
  const first = await issued(site, label, { domain: 'persist.test' });
  const [permission = '', ...others] = await permissions();
  expect(others).toEqual([]);
  expect(permission).toMatch(
    /"pebble\.letsencrypt\.org; accounturi=https:[^ ;]+\/my-account\/[^ ;]+; policy=wildcard; persistUntil=\d+"/,
  );
  const end = Number(/persistUntil=(\d+)/.exec(permission)?.[1]) * 1000;
  expect(end - Date.now()).toBeGreaterThan(190 * day);
  const { publicKey } = leafOf(site, 'persist.test');
  expect((await site.ask('renew', 'persist.test/*.persist.test', '--force', '--wait')).code).toBe(0);
  await issued(site, label, { domain: 'persist.test', before: first });
  expect(await permissions()).toEqual([permission]);
  expect(leafOf(site, 'persist.test').publicKey.equals(publicKey)).toBe(true);

  await issued(site, ['*.account.test'], { domain: 'account.test' });
  const { validFrom, validTo } = leafOf(site, 'account.test');
  expect(Math.round((Date.parse(validTo) - Date.parse(validFrom)) / day)).toBe(6);
  await until('the challenges of the account are gone', async () => isSame('account.test', before));
  expect(
    bind.output().match(/adding an RR at '_[a-z2-7]{16}\._acme-challenge\.account\.test' TXT/g),
  ).toHaveLength(2);

  expect(await site.ask('domains', 'remove', 'persist.test', '--force')).toMatchObject({ code: 0 });
  await until('the permission is gone', async () => isSame('persist.test', untouched), 90_000);

  async function isSame(zone: string, records: readonly string[]): Promise<boolean> {
    return (await recordsOf(bind, zone)).join('\n') === records.join('\n');
  }
});

function leafOf({ folder }: AgentSite, domain: string): X509Certificate {
  const path = join(folder, 'certificates', domain, `_wildcard.${domain}`, 'cert.pem');
  return new X509Certificate(readFileSync(path));
}
