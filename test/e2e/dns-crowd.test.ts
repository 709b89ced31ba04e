import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startBind } from '../support/bind.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { hasPowerdns, startPowerdns, type TestPowerdns } from '../support/powerdns.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { deployed, issued, keepUntilEnd } from './given.ts';
import { bindAccount, recordsOf, zonesConfig, zonesSite } from './zones.ts';

const keep = keepUntilEnd();

const zone = 'crowd.test';

describe.skipIf(!hasPowerdns())('two agents on one zone of PowerDNS (needs pdns_server)', () => {
  it('prove fifty wildcards, half of them at one name, and lose no value; then the zone is as it was', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `t${index}.${zone}`);
    const shared = names.filter((_, index) => index % 2 === 0);
    const pdns = keep(
      await startPowerdns({
        zones: [zone],
        records: shared.map((name) => `_acme-challenge.${name}. 60 IN CNAME proofs.${zone}.`),
      }),
    );
    const before = await pdns.zoneText(zone).then(withoutSerial);
    const pebble = keep(await startPebble({ dnsServer: pdns.address }));
    const redis = keep(await startRedis());
    const options = {
      pebble,
      dns: pdns.address,
      account: powerdnsAccount(pdns),
      domains: names.map((name) => ({ name })),
      config: { redis: { url: redis.url } },
    };
    const site = await zonesSite(options);
    const other = await agentSite({}, 'second');
    other.configure({
      ...zonesConfig(site, options),
      http01: { port: await freePort(), address: '127.0.0.1' },
      masterKey: { file: join(site.folder, 'data', 'master.key') },
    });
    const first = site.start();
    await until('there is a store', () => existsSync(join(site.folder, 'data', 'store-id')));
    const agents = [keep(await first), keep(await other.start())];
    await allIssued(site, names);
    const outputs = agents.map((agent) => agent.output());
    expect(outputs.map((text) => count(text, '"certificate not issued"'))).toEqual([0, 0]);
    expect(Math.min(...outputs.map((text) => count(text, '"TXT records changed"')))).toBeGreaterThan(0);
    await until(
      'the zone is as before',
      async () => (await pdns.zoneText(zone).then(withoutSerial)) === before,
    );
  });
});

describe('an agent that is killed while twenty orders are in flight', () => {
  it('leaves a zone that its next start brings back to what it was', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `t${index}.${zone}`);
    const bind = keep(await startBind({ zones: [zone], records: [`x.${zone}. 60 IN TXT "somebody-else"`] }));
    const pebble = keep(await startPebble({ dnsServer: bind.address, sleep: 2 }));
    const site = await zonesSite({
      pebble,
      dns: bind.address,
      account: bindAccount(bind),
      domains: names.map((name) => ({ name })),
      config: { concurrency: { issuance: names.length } },
    });
    const before = await recordsOf(bind, zone);
    const values = async () => (await recordsOf(bind, zone)).length - before.length;
    const victim = await site.start();
    await until('all values are in the zone', async () => (await values()) === 2 * names.length);
    await victim.kill('SIGKILL');
    expect(await values()).toBe(2 * names.length);
    keep(await site.start());
    await allIssued(site, names);
    await until('the zone is as before', async () => `${await recordsOf(bind, zone)}` === `${before}`);
  });
});

describe('a name that the vendor refuses', () => {
  it('fails its own order alone, of twenty at once', async () => {
    const good = Array.from({ length: 19 }, (_, index) => `t${index}.${zone}`);
    const bad = `bad.${zone}`;
    const bind = keep(await startBind({ zones: [zone], refused: [`_acme-challenge.${bad}`] }));
    const pebble = keep(await startPebble({ dnsServer: bind.address }));
    const site = await zonesSite({
      pebble,
      dns: bind.address,
      account: bindAccount(bind),
      domains: [...good, bad].map((name) => ({ name })),
      config: { concurrency: { issuance: 20 } },
    });
    const before = await recordsOf(bind, zone);
    const agent = keep(await site.start());
    await allIssued(site, good);
    await until('the bad one is told', () => agent.output().includes('"certificate not issued"'));
    const refusals = agent.output().match(/.*"certificate not issued".*/g) ?? [];
    expect(refusals).toEqual([
      expect.stringMatching(/"lineage":"bad\.crowd\.test.*refuses key acme-key this change/),
    ]);
    expect(deployed(site, `*.${bad}`, bad)?.selfSigned).toBe(true);
    await until('the zone is as before', async () => `${await recordsOf(bind, zone)}` === `${before}`);
  });
});

/** By its API, which only knows whole sets: what two write at once, one of them loses. */
function powerdnsAccount({ apiUrl, apiKey }: TestPowerdns): object {
  return { provider: 'powerdns', baseUrl: apiUrl, apiKey };
}

async function allIssued(site: AgentSite, names: readonly string[]): Promise<void> {
  for (const name of names) await issued(site, [`*.${name}`], { domain: name, timeoutMs: 120_000 });
}

function withoutSerial(text: string): string {
  return text.replace(/"serial":\d+/, '"serial":0');
}

function count(text: string, words: string): number {
  return text.split(words).length - 1;
}
