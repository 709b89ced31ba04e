import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorTable } from '../../src/core/errors.ts';
import type { JournalEntry } from '../../src/core/ports.ts';
import type { AgentSite } from '../support/agent.ts';
import { startBind, type TestBind } from '../support/bind.ts';
import { dnsapiFolder } from '../support/dnsapi/account.ts';
import { hasServer } from '../support/fetch/index.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { type Route53, startRoute53 } from '../support/route53.ts';
import { testFolder } from '../support/run-folder.ts';
import {
  accepted,
  deployed,
  explained,
  issued,
  type Keep,
  keepFor,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';
import { storeOf } from './store-of.ts';
import { bindAccount, recordsOf, startScriptedZone, zonesSite } from './zones.ts';

const keep = keepUntilEnd();

const owner = '_acme-challenge.zone.test';
const foreign = { name: owner, type: 'TXT', ttl: 60, values: ['somebody-else'] } as const;
const foreignLine = `${owner}. 60 IN TXT "somebody-else"`;
const both = 'DNS:zone.test, DNS:*.zone.test';

describe.concurrent('an apex and its wildcard in one order', () => {
  it('by DNS UPDATE to BIND with TSIG leave the zone as it was', async (context) => {
    const keep = keepFor(context);
    const bind = keep(await startBind({ zones: ['zone.test'], records: [foreignLine] }));
    const pebble = keep(await startPebble({ dnsServer: bind.address }));
    const site = await zonesSite({ pebble, ...bindZones(bind) });
    const before = await recordsOf(bind, 'zone.test');
    await startAndIssue(keep, site);
    await restored(bind, 'zone.test', before);
    expect(bind.output().match(/adding an RR at '_acme-challenge\.zone\.test' TXT/g)).toHaveLength(2);
  });

  it('by Route 53 leave the zone as it was, and what that took is at /metrics', async (context) => {
    const keep = keepFor(context);
    const route53 = keep(
      await startRoute53({ zones: [{ name: 'zone.test', records: [foreign] }], insyncMs: 300 }),
    );
    const dns = `127.0.0.1:${route53.dnsAddress.port}`;
    const pebble = keep(await startPebble({ dnsServer: dns }));
    const account = route53Account(route53);
    const metrics = await freePort();
    const config = { metrics: { listen: `127.0.0.1:${metrics}` } };
    const site = await zonesSite({ pebble, dns, account, domains: [{ name: 'zone.test' }], config });
    const before = route53.zoneStore.held('zone.test');
    await startAndIssue(keep, site);
    await until('the challenges are gone', () => route53.zoneStore.txt(owner).length === 1);
    expect(sorted(route53.zoneStore.held('zone.test'))).toEqual(sorted(before));
    expect(route53.calls).toMatchObject({ change: 2 });
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    for (const line of [
      'dns_calls_total{account="zones",call="apply",outcome="ok"} 2',
      'dns_call_changes_sum{account="zones"} 4',
      'events_total{type="certificate.issued"} 1',
      'certificates{state="valid"} 1',
      'certificates_failing 0',
      'queue_jobs{queue="issuance",state="active"} 0',
    ])
      expect(text).toContain(`\nacme_agent_${line}\n`);
    expect(text).toMatch(/\nacme_agent_certificate_least_days_left (?:5\.9|89\.9)/);
    expect(text).not.toContain('zone.test');
  });

  it('by a program of the operator leave the zone as it was', async (context) => {
    const keep = keepFor(context);
    const scripted = keep(await startScriptedZone('zone.test'));
    const dns = `127.0.0.1:${scripted.dns.port}`;
    const pebble = keep(await startPebble({ dnsServer: dns }));
    const script = join(testFolder('script'), 'zone.mjs');
    writeFileSync(
      script,
      `const [verb, name, value] = process.argv.slice(2);
       const body = JSON.stringify({ verb, name, value });
       const answer = await fetch(process.env.ZONE_URL, { method: 'POST', body });
       process.exit(answer.ok ? 0 : 1);`,
    );
    const account = {
      provider: 'exec',
      zones: ['zone.test'],
      command: [process.execPath, script],
      env: { ZONE_URL: scripted.url },
    };
    const site = await zonesSite({ pebble, dns, account, domains: [{ name: 'zone.test' }] });
    const before = scripted.zones.held('zone.test');
    await startAndIssue(keep, site);
    await until('the challenges are gone', () => scripted.zones.txt(owner).length === 0);
    expect(sorted(scripted.zones.held('zone.test'))).toEqual(sorted(before));
    expect(scripted.calls.toSorted()).toEqual([
      ...[`cleanup ${owner}`, `cleanup ${owner}`],
      ...[`present ${owner}`, `present ${owner}`],
    ]);
  });

  it.skipIf(!hasServer('nsupdate'))(
    'by a dnsapi script that removes all values of a name leave the zone as it was (needs nsupdate)',
    async (context) => {
      const keep = keepFor(context);
      const bind = keep(await startBind({ zones: ['zone.test'] }));
      const pebble = keep(await startPebble({ dnsServer: bind.address }));
      const [server = '', port = ''] = bind.address.split(':');
      const { name, secret } = bind.tsig;
      const account = {
        provider: 'acmesh',
        dnsapi: dnsapiFolder,
        script: 'dns_update',
        variables: { UPDATE_Server: server, UPDATE_Port: port, UPDATE_Key: name, UPDATE_Secret: secret },
      };
      const site = await zonesSite({ pebble, ...bindZones(bind), account });
      const before = await recordsOf(bind, 'zone.test');
      await startAndIssue(keep, site);
      await restored(bind, 'zone.test', before);
      const said = bind.output().match(/(adding an RR|deleting rrset) at '_acme-challenge\.zone\.test' TXT/g);
      // On a busy machine the two go by two calls, of which the first takes both.
      expect(said?.map((line) => line.split(' ')[0]).join(' ')).toMatch(
        /^adding adding deleting( deleting)?$/,
      );
    },
  );

  it('are proven in the zone that a CNAME leads to, and their own zone is not touched', async (context) => {
    const keep = keepFor(context);
    const zones = ['zone.test', 'proofs.test'];
    const bind = keep(await startBind({ zones, records: [`${owner}. 60 IN CNAME zone-test.proofs.test.`] }));
    const pebble = keep(await startPebble({ dnsServer: bind.address }));
    const site = await zonesSite({ pebble, ...bindZones(bind) });
    const own = await bind.zoneText('zone.test');
    const before = await recordsOf(bind, 'proofs.test');
    await startAndIssue(keep, site);
    await restored(bind, 'proofs.test', before);
    expect(bind.output().match(/adding an RR at 'zone-test\.proofs\.test' TXT/g)).toHaveLength(2);
    // Its serial number too: nobody wrote there.
    expect(await bind.zoneText('zone.test')).toBe(own);
  });
});

describe.concurrent('a killed agent leaves no TXT record behind', () => {
  it('when it is started again: what was to be removed goes at once, leased values stay', async (test) => {
    const keep = keepFor(test);
    const records = ['over', 'leased', 'somebody-else'].map((value) => `${owner}. 60 IN TXT "${value}"`);
    const bind = keep(await startBind({ zones: ['zone.test'], records }));
    const redis = keep(await startRedis());
    const pebble = keep(await startPebble({ dnsServer: bind.address }));
    const site = await zonesSite({
      pebble,
      ...bindZones(bind),
      config: { redis: { url: redis.url } },
    });
    const first = await site.start();
    const values = async () =>
      (await recordsOf(bind, 'zone.test')).filter((line) => line.startsWith(`${owner} `));
    await until('the certificate is issued', () => first.output().includes('"certificate issued"'), 60_000);
    await first.kill('SIGKILL');
    // Removals linger a moment to share calls: both challenges are still there.
    expect(await values()).toHaveLength(5);

    const store = await storeOf(site, redis);
    expect((await store.journal.all()).map(({ state }) => state)).toEqual(['removing', 'removing']);
    const now = Date.now();
    await store.journal.intend([entry('over', now - 1000), entry('leased', now + 600_000)]);
    await store.close();

    keep(await site.start());
    await until('the records are gone', async () => (await values()).length === 2, 20_000);
    expect((await values()).map((line) => line.split('"')[1])).toEqual(['leased', 'somebody-else']);
  });

  it('when it finishes the order that the kill interrupted', async (test) => {
    const keep = keepFor(test);
    const bind = keep(await startBind({ zones: ['zone.test'], records: [foreignLine] }));
    const redis = keep(await startRedis());
    const pebble = keep(await startPebble({ dnsServer: bind.address, nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const site = await zonesSite({
      pebble,
      proxy,
      ...bindZones(bind),
      config: { redis: { url: redis.url } },
    });
    const before = await recordsOf(bind, 'zone.test');
    const held = proxy.hold('finalize');
    const first = await site.start();
    await held.seen;
    await first.kill('SIGKILL');
    held.drop();
    const left = await recordsOf(bind, 'zone.test');
    expect(left.length).toBe(before.length + 2);
    keep(await site.start());
    await issued(site, ['*.zone.test'], { domain: 'zone.test', timeoutMs: 120_000 });
    await restored(bind, 'zone.test', before);
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
  });
});

describe('a name in a zone that the DNS account does not have', () => {
  it('is explained: what is wrong, what to do, and when it is tried again', async () => {
    const bind = keep(await startBind({ zones: ['zone.test'] }));
    const pebble = keep(await startPebble({ dnsServer: bind.address, nonceReject: 0 }));
    const site = await zonesSite({ pebble, ...bindZones(bind), domains: [{ name: 'other.test' }] });
    keep(await site.start());
    const said = await explained(site, 'other.test', 'Last error, ');
    const lines = said.split('\n').map((line) => line.trim());
    const at = lines.findIndex((line) => line.startsWith('Last error, '));
    expect(lines[at], said).toContain('_acme-challenge.other.test');
    expect(lines.slice(at), said).toContain(`What to do: ${errorTable['dns.zoneNotFound'].advice}`);
    expect(lines.slice(at).join('\n'), said).toMatch(/^Next: attempt 2 at .*\(in 2[1-6] hours\)/m);
  });
});

describe('twenty wildcards of one zone at once', () => {
  it('share a few calls to the vendor', async () => {
    const route53 = keep(await startRoute53({ zones: [{ name: 'zone.test' }], insyncMs: 300 }));
    const dns = `127.0.0.1:${route53.dnsAddress.port}`;
    const pebble = keep(await startPebble({ dnsServer: dns }));
    const proxy = keep(await proxyBefore(pebble));
    const names = Array.from({ length: 20 }, (_, index) => `t${index}.zone.test`);
    const site = await zonesSite({
      pebble,
      proxy,
      dns,
      account: route53Account(route53),
      domains: names.map((name) => ({ name })),
      config: { concurrency: { issuance: names.length } },
    });
    const before = route53.zoneStore.held('zone.test');
    // The first call takes as long as it takes to place all orders; what gathers meanwhile goes with the next.
    const slow = route53.hold('change');
    keep(await site.start());
    await slow.reached;
    await until('all orders are placed', () => accepted(proxy, 'authz') >= 2 * names.length);
    slow.release();
    for (const name of names) await issued(site, [`*.${name}`], { domain: name });
    await until(
      'the challenges are gone',
      () => route53.zoneStore.held('zone.test').length === before.length,
    );
    expect(route53.calls.change).toBeLessThanOrEqual(8);
    expect(route53.calls.list).toBeLessThanOrEqual(8);
    expect(route53.calls.zonesByName).toBe(1);
  });
});

async function startAndIssue(keep: Keep, site: AgentSite): Promise<void> {
  keep(await site.start());
  await issued(site, ['*.zone.test'], { domain: 'zone.test' });
  expect(deployed(site, '*.zone.test', 'zone.test')?.names).toBe(both);
}

function bindZones(bind: TestBind) {
  return { dns: bind.address, account: bindAccount(bind), domains: [{ name: 'zone.test' }] };
}

function restored(bind: TestBind, zone: string, before: readonly string[]): Promise<void> {
  return until('the zone is as before', async () => `${await recordsOf(bind, zone)}` === `${before}`);
}

function route53Account({ endpoint, accessKeyId }: Route53): object {
  return { provider: 'route53', endpoint, accessKeyId, secretAccessKey: 'a-secret-access-key' };
}

function entry(value: string, leaseUntil: number): JournalEntry {
  return {
    id: `dead-${value}`,
    account: 'zones',
    zone: 'zone.test',
    name: owner,
    value,
    state: 'added',
    lineage: 'zone.test/gone/ec',
    createdAt: leaseUntil - 3_600_000,
    leaseUntil,
  };
}

function sorted(sets: readonly { readonly name: string; readonly type: string }[]): readonly object[] {
  return sets.toSorted((a, b) => `${a.name} ${a.type}`.localeCompare(`${b.name} ${b.type}`));
}
