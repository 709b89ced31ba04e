import { describe, expect, it } from 'vitest';
import { startBind } from '../support/bind.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { type Route53, startRoute53 } from '../support/route53.ts';
import { issued, keepUntilEnd } from './given.ts';
import { bindAccount, recordsOf, zonesSite } from './zones.ts';

const keep = keepUntilEnd();

const owner = '_acme-challenge.zone.test';
const leftover = 'L'.repeat(43);
const foreign = { name: owner, type: 'TXT', ttl: 60, values: [leftover, 'somebody-else'] } as const;

async function atRoute53(insyncMs: number) {
  const route53 = keep(await startRoute53({ zones: [{ name: 'zone.test', records: [foreign] }], insyncMs }));
  const dns = `127.0.0.1:${route53.dnsAddress.port}`;
  const pebble = keep(await startPebble({ dnsServer: dns }));
  const site = await zonesSite({
    pebble,
    dns,
    account: accountOf(route53),
    domains: [{ name: 'zone.test' }],
  });
  const values = () => route53.zoneStore.txt(owner).toSorted();
  return { route53, site, values };
}

describe('dns doctor', () => {
  it('examines a zone at BIND, times a record there and takes it away again', async () => {
    const records = [`${owner}. 60 IN TXT "somebody-else"`];
    const bind = keep(await startBind({ zones: ['zone.test'], records }));
    const pebble = keep(await startPebble({ dnsServer: bind.address }));
    const site = await zonesSite({
      pebble,
      dns: bind.address,
      account: bindAccount(bind),
      domains: [{ name: 'zone.test', mode: 'individual' }],
    });
    keep(await site.start());
    const before = await recordsOf(bind, 'zone.test');
    const { stdout, code } = await site.ask('dns', 'doctor', 'www.zone.test');
    expect(stdout).toMatch(/^ok {5}CNAME: none at _acme-challenge\.www\.zone\.test$/m);
    expect(stdout).toMatch(/^ok {5}zone: zone\.test, as the vendor says; .* DNS account zones \(rfc2136\)$/m);
    expect(stdout).toMatch(/^ok {5}account zones: its credentials are accepted$/m);
    expect(stdout).toContain(`ok     nameserver ${bind.address}: answers at ${bind.address}`);
    expect(stdout).toMatch(/^ok {5}DNSSEC: not signed/m);
    expect(stdout).toMatch(/^ok {5}CAA for pebble: No CAA record restricts/m);
    expect(stdout).toMatch(/^ok {5}write: accepted after \d+\.\d\d s$/m);
    expect(stdout).toMatch(/^ok {5}seen at 127\.0\.0\.1:\d+: after \d+\.\d\d s$/m);
    expect(stdout).toMatch(/^ok {5}remove: taken away again\nNothing is amiss\.$/m);
    expect(code).toBe(0);
    expect(await recordsOf(bind, 'zone.test')).toEqual(before);
    expect(bind.output().match(/adding an RR at '_acme-challenge\.www\.zone\.test' TXT/g)).toHaveLength(1);
    const refused = await site.ask('--json', 'dns', 'doctor', 'www.other.test');
    expect(refused.code).toBe(5);
    expect(JSON.parse(refused.stdout).items.at(-1)).toMatchObject({ id: 'CAA for pebble' });
  });

  it('leaves nothing behind when its agent is killed in the middle', async () => {
    const { site, values } = await atRoute53(3000);
    const first = await site.start();
    await issued(site, ['*.zone.test'], { domain: 'zone.test' });
    await until('the challenges are gone', () => values().length === 2);
    const doctor = site.ask('dns', 'doctor', 'zone.test');
    await until('it has written', () => values().length === 3);
    await first.kill('SIGKILL');
    expect(values()).toHaveLength(3);
    keep(await site.start());
    // Whoever asked waits through it.
    const { stdout, code } = await doctor;
    expect(stdout).toMatch(/^ok {5}remove: taken away again\nNothing is amiss\.$/m);
    expect(code).toBe(0);
    expect(values()).toEqual([leftover, 'somebody-else']);
  });
});

describe('dns gc', () => {
  it('lists a leftover of somebody else, and deletes it when told to: that value and no other', async () => {
    const { site, values } = await atRoute53(200);
    keep(await site.start());
    await issued(site, ['*.zone.test'], { domain: 'zone.test' });
    await until('the challenges are gone', () => values().length === 2);
    const listed = await site.ask('dns', 'gc');
    expect(listed.stdout).toContain(
      `zones    ${owner}  ${leftover}  age unknown: the vendor does not tell\n`,
    );
    const kept = await site.ask('dns', 'gc', 'zone.test', '--delete');
    expect(kept.stdout).toContain('kept 1 whose age nobody knows; --any-age deletes them, too');
    expect(values()).toHaveLength(2);
    const { stdout, code } = await site.ask('dns', 'gc', 'zone.test', '--delete', '--any-age');
    expect({ stdout, code }).toEqual({ stdout: `deleted ${owner} ${leftover}\n`, code: 0 });
    expect(values()).toEqual(['somebody-else']);
    expect((await site.ask('dns', 'gc')).stdout).toBe('nothing is left over in zone.test\n');
  });
});

function accountOf({ endpoint, accessKeyId }: Route53): object {
  return { provider: 'route53', endpoint, accessKeyId, secretAccessKey: 'a-secret-access-key' };
}
