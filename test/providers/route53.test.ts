import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { route53 } from '../../providers/route53.ts';
import { systemClock } from '../../src/clock.ts';
import { query } from '../../src/dns/wire.ts';
import { applyChunked, callAsEngine } from '../contract/dns-calls.ts';
import { describeProvider } from '../contract/dns-provider.ts';
import type { LargeAccount, ProviderUnderTest } from '../contract/subject.ts';
import { createPluginContext } from '../support/plugin-context.ts';
import { type Route53, type Route53Options, startRoute53 } from '../support/route53.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test', id: 'ZEXAMPLE' };
const owner = '_acme-challenge.example.test';
const add = { op: 'add', name: owner, value: 'digest', ttl: 60 } as const;

const zones: Route53Options['zones'] = [
  { name: 'example.test', id: 'ZPRIVATE', private: true },
  zone,
  { name: 'sub.example.test', id: 'ZSUB' },
  { name: 'zzz.test', id: 'ZZZZ' },
];

describeProvider('route53', { traits: route53.traits, setup, notApplicable: {} });

describe('route53', () => {
  let emulator: Route53;
  beforeAll(async () => {
    const records = Array.from({ length: 700 }, (_, index) => ({
      name: `host-${String(index).padStart(4, '0')}.big.test`,
      type: 'TXT' as const,
      ttl: 60,
      values: [`text ${index}`],
    }));
    emulator = await startRoute53({
      zones: [
        ...zones,
        { name: 'big.test', id: 'ZBIG', records },
        { name: 'twice.test', id: 'ZTWO1' },
        { name: 'twice.test', id: 'ZTWO2' },
      ],
    });
  });
  afterAll(() => emulator.stop());

  it('answers 20 orders of one zone with one list call and one change', async () => {
    const provider = await create(emulator);
    const changes = Array.from({ length: 40 }, (_, index) => ({
      ...add,
      name: `_acme-challenge.h${index >> 1}.example.test`,
      value: `v${index}`,
    }));
    const before = { ...emulator.calls };
    await provider.apply(zone, changes, signal);
    expect(emulator.calls.list - before.list).toBe(1);
    expect(emulator.calls.change - before.change).toBe(1);
    await provider.apply(
      zone,
      changes.map((change) => ({ ...change, op: 'remove' as const })),
      signal,
    );
  });

  it('reads a zone of many pages, whole or only where the names are', async () => {
    const provider = await create(emulator);
    const big = { name: 'big.test', id: 'ZBIG' };
    expect(await provider.listTxt?.(big, undefined, signal)).toHaveLength(700);
    const before = emulator.calls.list;
    const names = ['host-0001.big.test', 'host-0699.big.test', 'none.big.test'];
    const found = await provider.listTxt?.(big, names, signal);
    expect(found?.map((record) => record.value)).toEqual(['text 1', 'text 699']);
    expect(emulator.calls.list - before).toBeLessThanOrEqual(2);
  });

  it.each([
    [400, 'PriorRequestNotComplete', 'provider.conflict'],
    [400, 'Throttling', 'provider.throttled'],
    [503, 'ServiceUnavailable', 'provider.unavailable'],
  ])('leaves it to the engine to try again after %s %s', async (status, code, told) => {
    const provider = await create(emulator);
    const patient = [{ ...add, value: code }];
    const fault = { operation: 'change', status, code } as const;
    const before = emulator.calls.change;
    emulator.inject(fault);
    await expect(provider.apply(zone, patient, signal)).rejects.toMatchObject({ code: told });
    expect(emulator.calls.change - before).toBe(1);
    emulator.inject(fault);
    await applyChunked(provider, zone, patient);
    expect(emulator.calls.change - before).toBe(3);
    expect(emulator.zoneStore.txt(owner)).toContain(code);
  });

  it('names both zones when two public ones have one name, and uses the one configured', async () => {
    const ambiguous = (await create(emulator)).findZone?.('_acme-challenge.twice.test', signal);
    await expect(ambiguous).rejects.toThrow(/ZTWO1, ZTWO2.*hostedZoneId/);
    const chosen = await create(emulator, { hostedZoneId: 'ZTWO2' });
    expect(await chosen.findZone?.('_acme-challenge.twice.test', signal)).toEqual({
      name: 'twice.test',
      id: 'ZTWO2',
    });
    expect(await chosen.findZone?.(owner, signal)).toBeUndefined();
  });

  it.each([
    [{ status: 403, code: 'AccessDenied', message: 'not authorized' }, 'provider.forbidden'],
    [{ status: 403, code: 'ExpiredToken', message: 'expired' }, 'provider.auth'],
    [{ status: 503, code: 'ServiceUnavailable' }, 'provider.unavailable'],
  ])('tells %o as %s', async (fault, code) => {
    const provider = await create(emulator);
    emulator.inject({ operation: 'list', ...fault });
    await expect(provider.apply(zone, [add], signal)).rejects.toMatchObject({ code });
  });

  it('does not repeat a request that the vendor quotes with its session token', async () => {
    const provider = await create(emulator, { sessionToken: 'canary-session-token' });
    const message =
      'The signature does not match.\n\nThe request was: x-amz-security-token:canary-session-token';
    emulator.inject({ operation: 'list', status: 403, code: 'SignatureDoesNotMatch', message });
    const error = await provider.apply(zone, [add], signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'provider.auth', message: /The signature does not match/ });
    expect(inspect(error, { depth: 9 })).not.toContain('canary');
  });

  it('calls the API through the HTTP of the agent', async () => {
    const context = createPluginContext('aws');
    const urls: string[] = [];
    const request: typeof context.http.request = (url, options) => {
      urls.push(url);
      return context.http.request(url, options);
    };
    const provider = await create(emulator, {}, { ...context, http: { ...context.http, request } });
    await provider.listTxt?.({ name: 'zzz.test', id: 'ZZZZ' }, ['*.zzz.test'], signal);
    expect(urls).toEqual([
      `${emulator.endpoint}/2013-04-01/hostedzone/ZZZZ/rrset?name=%2A.zzz.test&type=TXT&maxitems=300`,
    ]);
  });

  it('does not take a change for live that the vendor does not know', async () => {
    expect(await (await create(emulator)).live?.('CUNKNOWN', signal)).toBe(false);
  });

  it('gets through the limit of the vendor when others use the account too', async () => {
    const limited = await startRoute53({ zones, limit: { perSecond: 20, burst: 5 } });
    const provider = await create(limited);
    const asked = Array.from({ length: 12 }, () =>
      callAsEngine(async (within) => provider.findZone?.('zzz.test', within)),
    );
    expect(await Promise.all(asked)).toEqual(asked.map(() => ({ name: 'zzz.test', id: 'ZZZZ' })));
    await limited.stop();
  });

  it('says that the API cannot be reached', async () => {
    const gone = await startRoute53({ zones: [] });
    await gone.stop();
    await expect((await create(gone)).check?.(signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
    });
  });
});

describe.each(['ErrorResponse', 'InvalidChangeBatch'] as const)('route53, refused as %s', (errorRoot) => {
  let emulator: Route53;
  beforeAll(async () => {
    emulator = await startRoute53({ zones, errorRoot });
  });
  afterAll(() => emulator.stop());

  it('reads and changes again when another writer came between', async () => {
    const provider = await create(emulator);
    const hold = emulator.hold('change');
    const applied = applyChunked(provider, zone, [add]);
    await hold.reached;
    await (await create(emulator)).apply(zone, [{ ...add, value: 'of another' }], signal);
    hold.release();
    await applied;
    expect(emulator.zoneStore.txt(owner)).toEqual(['of another', 'digest']);
  });

  it('passes on what the vendor says of a bad change', async () => {
    const foreign = { ...add, name: '_acme-challenge.elsewhere.test' };
    await expect((await create(emulator)).apply(zone, [foreign], signal)).rejects.toMatchObject({
      code: 'provider.invalid',
      message:
        /InvalidChangeBatch.*_acme-challenge\.elsewhere\.test\. is not permitted in zone example\.test/,
      facts: { vendorCode: 'InvalidChangeBatch' },
    });
  });
});

async function create(emulator: Route53, more: object = {}, context = createPluginContext('aws')) {
  const options = route53.options.parse({ ...accountAt(emulator.endpoint, emulator), ...more });
  return route53.create(options, context);
}

function accountAt(endpoint: string, { accessKeyId }: Pick<Route53, 'accessKeyId'>) {
  return { endpoint, accessKeyId, secretAccessKey: 'emulator-secret' };
}

async function setup(): Promise<ProviderUnderTest> {
  const alias = (name: string, target: string) =>
    ({ name: `${name}.example.test`, type: 'CNAME', ttl: 60, values: [`${target}.example.test`] }) as const;
  const records = [
    alias('_acme-challenge.delegated', 'second'),
    alias('second', 'third'),
    alias('third', 'proofs.sub'),
    alias('_acme-challenge.loop', 'back'),
    alias('back', '_acme-challenge.loop'),
  ];
  const own = zones.map((one) => (one === zone ? { ...zone, records } : one));
  const emulator = await startRoute53({ zones: own, insyncMs: 300 });
  const { zoneStore, calls, dnsAddress } = emulator;
  const [provider, again] = [await create(emulator), await create(emulator)];
  const wrong = await create(emulator, { accessKeyId: 'AKIDWRONG' });
  const lose = { status: 500, code: 'InternalFailure', applied: true };
  return {
    provider,
    zone,
    again: () => again,
    txt: (name) => Promise.resolve(zoneStore.txt(name)),
    // Through the API, as other writers do; the store alone does not know how a value was quoted.
    addForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, name, value }], signal);
    },
    removeForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, op: 'remove', name, value }], signal);
    },
    snapshot: () => Promise.resolve(JSON.stringify(zoneStore.held(zone.name))),
    stop: emulator.stop,
    delegated: { name: '_acme-challenge.www.sub.example.test', zone: 'sub.example.test' },
    missing: { zone: { name: 'nowhere.test', id: 'ZNOWHERE' }, code: 'dns.zoneNotFound' },
    withWrongCredentials: () => wrong,
    calls: () => Object.values(calls).reduce((sum, count) => sum + count, 0),
    refused: { ...add, name: '_acme-challenge.elsewhere.test' },
    denyRights() {
      emulator.inject({ operation: 'list', status: 403, code: 'AccessDenied' });
      return { code: 'provider.forbidden', restore: () => {} };
    },
    failOnce: () => emulator.inject({ operation: 'change', status: 503, code: 'ServiceUnavailable' }),
    throttleOnce: () => emulator.inject({ operation: 'change', status: 400, code: 'Throttling' }),
    loseAnswerOnce: () => emulator.inject({ operation: 'change', ...lose }),
    hangOnce: () => emulator.hold('change'),
    large: openLarge,
    server: {
      port: Number(new URL(emulator.endpoint).port),
      account: (port) => ({ provider: 'route53', options: accountAt(`http://127.0.0.1:${port}`, emulator) }),
    },
    dns: `${dnsAddress.address}:${dnsAddress.port}`,
    aliases: {
      first: '_acme-challenge.delegated.example.test',
      end: 'proofs.sub.example.test',
      loop: '_acme-challenge.loop.example.test',
    },
    ttl: async (name) => zoneStore.held(zone.name).find((set) => set.name === name)?.ttl,
    async isPublished(name, value) {
      const options = { clock: systemClock, signal };
      const { answers } = await query(dnsAddress, { name, type: 'TXT' }, options);
      return answers.some((record) => record.type === 'TXT' && record.value === value);
    },
  };
}

async function openLarge(): Promise<LargeAccount> {
  const values = 1500;
  const records = Array.from({ length: values }, (_, index) => ({
    name: `_acme-challenge.host-${index}.zone-99.test`,
    type: 'TXT' as const,
    ttl: 60,
    values: [`text ${index}`],
  }));
  const last = { name: 'zone-99.test', id: 'ZLAST' };
  const others = Array.from({ length: 120 }, (_, index) => ({ name: `zone-${index}.test` }));
  const emulator = await startRoute53({
    zones: [...others.filter(({ name }) => name !== last.name), { ...last, records }],
  });
  return {
    provider: await create(emulator),
    zone: last,
    held: [last.name, 'zone-9.test', 'zone-119.test'].map((name) => ({
      name: `_acme-challenge.www.${name}`,
      zone: name,
    })),
    values,
    txt: async (name) => emulator.zoneStore.txt(name),
    stop: emulator.stop,
  };
}
