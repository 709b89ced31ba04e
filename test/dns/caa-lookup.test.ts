import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type CaaLookup, createCaaLookup } from '../../src/dns/caa-lookup.ts';
import { createResolver } from '../../src/dns/index.ts';
import { startBind, type TestBind } from '../support/bind.ts';
import { startChalltestsrv, type TestDns } from '../support/pebble.ts';
import { errorOf, never } from './stage.ts';

const le = '0 issue "letsencrypt.org"';
let bind: TestBind;
let dns: TestDns;

beforeAll(async () => {
  bind = await startBind({
    zones: ['example.test', 'sub.example.test', 'vendor.test', 'bare.test'],
    records: [
      `example.test. 60 IN CAA ${le}`,
      'example.test. 60 IN CAA 128 tbs "a \\"quoted\\" value"',
      'www.example.test. 60 IN A 127.0.0.1',
      'own.example.test. 60 IN CAA 0 issue "ca.test; accounturi=https://ca.test/1"',
      'deep.down.example.test. 60 IN A 127.0.0.1',
      'alias.example.test. 60 IN CNAME shop.vendor.test.',
      'free.example.test. 60 IN CNAME open.vendor.test.',
      'open.vendor.test. 60 IN A 127.0.0.1',
      'shop.vendor.test. 60 IN CAA 0 issue "vendor-ca.test"',
      'vendor.test. 60 IN CAA 0 issue "never-asked.test"',
      'www.bare.test. 60 IN A 127.0.0.1',
    ],
  });
  dns = await startChalltestsrv();
});
afterAll(() => Promise.all([bind?.stop(), dns?.stop()]));

function lookupAt(server: string, clock = systemClock): CaaLookup {
  const resolver = createResolver({ servers: [server] }, { clock });
  return createCaaLookup({ resolver, clock, closing: never });
}

describe('at BIND', () => {
  test('the set of the name itself counts alone', async () => {
    expect(await lookupAt(bind.address).find('own.example.test', never)).toEqual({
      owner: 'own.example.test',
      records: [{ critical: false, tag: 'issue', value: 'ca.test; accounturi=https://ca.test/1' }],
    });
  });

  test.each(['www.example.test', 'deep.down.example.test', '*.example.test', 'not-there.example.test'])(
    '%s has the set of its closest parent, with flags and quotes',
    async (name) => {
      const set = await lookupAt(bind.address).find(name, never);
      expect(set?.owner).toBe('example.test');
      expect(set?.records).toContainEqual({ critical: false, tag: 'issue', value: 'letsencrypt.org' });
      expect(set?.records).toContainEqual({ critical: true, tag: 'tbs', value: 'a "quoted" value' });
    },
  );

  test('the climb goes over the border of a zone', async () => {
    expect(await lookupAt(bind.address).find('www.sub.example.test', never)).toMatchObject({
      owner: 'example.test',
    });
  });

  test('an alias has the set of where it leads', async () => {
    expect(await lookupAt(bind.address).find('alias.example.test', never)).toMatchObject({
      owner: 'shop.vendor.test',
      records: [{ value: 'vendor-ca.test' }],
    });
  });

  test('from an alias without a set the climb is that of the name, not of where it leads', async () => {
    expect(await lookupAt(bind.address).find('free.example.test', never)).toMatchObject({
      owner: 'example.test',
    });
  });

  test('without any record nobody is restricted', async () => {
    expect(await lookupAt(bind.address).find('www.bare.test', never)).toBeUndefined();
  });
});

describe('at a test resolver', () => {
  test('an alias that it does not follow itself is followed', async () => {
    await dns.setCname('hop.alias.test', 'end.alias.test');
    await dns.addCaa('end.alias.test', [{ tag: 'issue', value: 'ca.test' }]);
    expect(await lookupAt(dns.dnsAddress).find('hop.alias.test', never)).toEqual({
      owner: 'end.alias.test',
      records: [{ critical: false, tag: 'issue', value: 'ca.test' }],
    });
  });

  test('a set is remembered for a minute, or until it shall be forgotten', async () => {
    let now = 0;
    const lookup = lookupAt(dns.dnsAddress, { ...systemClock, now: () => now });
    const find = () => lookup.find('www.kept.test', never);
    expect(await find()).toBeUndefined();
    await dns.addCaa('kept.test', [{ tag: 'issue', value: 'one.test' }]);
    expect(await find()).toBeUndefined();
    now += 60_000;
    expect(await find()).toMatchObject({ records: [{ value: 'one.test' }] });
    await dns.addCaa('kept.test', [{ tag: 'issue', value: 'two.test' }]);
    expect(await find()).toMatchObject({ records: [{ value: 'one.test' }] });
    lookup.forget('www.kept.test');
    expect(await find()).toMatchObject({ records: [{ value: 'one.test' }, { value: 'two.test' }] });
  });

  test('a server that fails is no server without a record, and is asked again', async () => {
    const lookup = lookupAt(dns.dnsAddress);
    await dns.setServfail('www.broken.test');
    expect(await errorOf(lookup.find('www.broken.test', never))).toMatchObject({ code: 'dns.query' });
    await dns.clearServfail('www.broken.test');
    expect(await lookup.find('www.broken.test', never)).toBeUndefined();
  });

  test('what fails at a parent does not matter where the name has a set', async () => {
    await dns.setServfail('half.test');
    await dns.addCaa('www.half.test', [{ tag: 'issue', value: 'ca.test' }]);
    expect(await lookupAt(dns.dnsAddress).find('www.half.test', never)).toMatchObject({
      owner: 'www.half.test',
    });
  });
});

test('of a resolver that leaves the last step to us, the alias is followed', async () => {
  const record = (name: string) => ({ name, ttl: 60, type: 'CAA' as const, critical: false, tag: 'issue' });
  const asked: string[] = [];
  const ask: Parameters<typeof createCaaLookup>[0]['resolver']['ask'] = async ({ name }) => {
    asked.push(name);
    const alias = { name, ttl: 60, type: 'CNAME' as const, value: 'shop.vendor.test' };
    const answers =
      name === 'alias.example.test'
        ? [alias]
        : name === 'shop.vendor.test'
          ? [{ ...record(name), value: 'vendor-ca.test' }]
          : [];
    return { rcode: 'NOERROR', answers, authorities: [] } as never;
  };
  const lookup = createCaaLookup({ resolver: { ask }, clock: systemClock, closing: never });
  expect(await lookup.find('alias.example.test', never)).toMatchObject({ owner: 'shop.vendor.test' });
  expect(asked).toContain('shop.vendor.test');
});
