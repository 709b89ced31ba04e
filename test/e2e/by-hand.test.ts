import { expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startDnsFront } from '../support/dns-front.ts';
import { type PebbleOptions, startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startWebhook } from '../support/webhook.ts';
import { createZoneStore } from '../support/zone-store.ts';
import { explained, issued, keepUntilEnd, proxyBefore } from './given.ts';
import { zonesSite } from './zones.ts';

const keep = keepUntilEnd();

const owner = '_acme-challenge.zone.test';

/** A zone that only a person writes to, and a CA of which everything can be had through a proxy. */
async function byHand(pebbleOptions: PebbleOptions = {}) {
  const zones = createZoneStore();
  zones.addZone('zone.test');
  const front = keep(await startDnsFront(zones));
  const dns = `${front.address}:${front.port}`;
  const pebble = keep(await startPebble({ dnsServer: dns, nonceReject: 0, ...pebbleOptions }));
  const proxy = keep(await proxyBefore(pebble));
  const hook = keep(await startWebhook());
  const { url, secret } = hook;
  const site = await zonesSite({
    pebble,
    proxy,
    dns,
    account: { provider: 'manual' },
    domains: [{ name: 'zone.test', mode: 'wildcard', challenge: 'dns-01' }],
    config: { notifiers: { platform: { notifier: 'webhook', url, secret } } },
  });
  const told = (kind: string) => hook.notices.filter((notice) => notice.kind === kind);
  return { zones, proxy, site, told };
}

it('a person is told the records of apex and wildcard, adds them, and the order goes on by itself', async () => {
  const { zones, proxy, site, told } = await byHand();
  // Its authorizations live for an hour, Let's Encrypt's for a week.
  const nextWeek = new Date(Date.now() + 7 * 86_400_000).toISOString();
  proxy.rewrite(
    'authz',
    ({ text }) => ({ text: text.replace(/"expires":\s*"[^"]*"/, `"expires":"${nextWeek}"`) }),
    1e6,
  );
  keep(await site.start());
  await until('a person is told', () => told('record-wanted').length === 1);
  const [wanted] = told('record-wanted');
  const records = (wanted?.records ?? []) as readonly string[];
  expect(records).toHaveLength(2);
  const text = await explained(site, 'zone.test', 'A person has to add to the DNS, before');
  for (const record of records) expect(text).toContain(`  ${record}\n`);
  expect(await pending(site)).toEqual(records.map((record) => `add ${record}`).toSorted());
  expect(await site.ask('-q', 'dns', 'pending')).toMatchObject({ code: 0 });

  const values = records.map((record) => /"(.*)"/.exec(record)?.[1] ?? '');
  await zones.write('zone.test', [{ name: owner, type: 'TXT', ttl: 300, values }]);
  await issued(site, ['*.zone.test'], { domain: 'zone.test', timeoutMs: 120_000 });
  expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
  await until('a person is told that they may go', () => told('record-idle').length === 1);
  expect(zones.txt(owner).toSorted()).toEqual(values.toSorted());
  expect(await pending(site)).toEqual(records.map((record) => `remove ${record}`).toSorted());
});

it('a CA that waits for an hour only is nothing for a person, who is told what to do instead', async () => {
  const { site } = await byHand();
  keep(await site.start());
  const text = await explained(site, 'zone.test', 'needs a day');
  expect(text).toMatch(/the CA waits only \d\d minutes for the TXT record at _acme-challenge\.zone\.test/);
  expect(text).toContain('What to do: Use a profile whose authorizations live for days');
  expect(await pending(site)).toEqual([]);
});

async function pending(site: AgentSite): Promise<readonly string[]> {
  const answer = (await site.json('dns', 'pending')) as { records: { action: string; record: string }[] };
  return answer.records.map(({ action, record }) => `${action} ${record}`).toSorted();
}
