import { describe, expect, it } from 'vitest';
import { powerdns } from '../../providers/powerdns.ts';
import { systemClock } from '../../src/clock.ts';
import type { DnsProvider } from '../../src/core/provider.ts';
import { query } from '../../src/dns/wire.ts';
import { describeProvider } from '../contract/dns-provider.ts';
import type { ProviderUnderTest } from '../contract/subject.ts';
import { describeVendor, providerAt } from '../contract/vendor.ts';
import { createPluginContext, hastyClock } from '../support/plugin-context.ts';
import { hasPowerdns, startPowerdns, type TestPowerdns } from '../support/powerdns.ts';
import { apiKey, powerdnsFront } from '../support/vendors/powerdns.ts';
import { startVendor } from '../support/vendors/server.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test', id: 'example.test.' };
const owner = '_acme-challenge.example.test';
const add = { op: 'add', name: owner, value: 'digest', ttl: 60 } as const;

describeVendor({
  definition: powerdns,
  front: powerdnsFront,
  options: { apiKey },
  wrongOptions: { apiKey: 'wrong-api-key' },
  zoneRef: ({ name }) => ({ name, id: `${name}.` }),
});

describe.skipIf(!hasPowerdns())('with PowerDNS', () => {
  describeProvider('powerdns on PowerDNS', {
    traits: powerdns.traits,
    setup,
    notApplicable: {
      throttleOnce: 'it does not limit requests',
      denyRights: 'its one key has all rights as long as it runs',
      failOnce: 'the server does not fail by order',
      loseAnswerOnce: 'the server answers always',
      hangOnce: 'the server answers always',
      calls: 'the server does not count requests',
      large: 'its lists come whole',
    },
  });

  it('leaves a record that is switched off as it is, where the whole zone is read', async () => {
    const server = await startPowerdns({ zones: ['example.test'] });
    const at = `${server.apiUrl}/api/v1/servers/localhost/zones/example.test.`;
    const headers = { 'x-api-key': server.apiKey };
    const records = [{ content: '"asleep"', disabled: true }];
    const rrset = { name: `${owner}.`, type: 'TXT', ttl: 300, changetype: 'REPLACE', records };
    await fetch(at, { method: 'PATCH', headers, body: JSON.stringify({ rrsets: [rrset] }) });
    const provider = await create(server);
    const others = Array.from({ length: 20 }, (_, index) => ({
      ...add,
      name: `_acme-challenge.h${index}.example.test`,
    }));
    await provider.apply(zone, [add, ...others], signal);
    const { rrsets } = (await (await fetch(at, { headers })).json()) as { rrsets: (typeof rrset)[] };
    const found = rrsets.find(({ name }) => name === `${owner}.`);
    expect(found).toMatchObject({ ttl: 300 });
    expect(found?.records).toEqual([
      { content: '"asleep"', disabled: true },
      { content: '"digest"', disabled: false },
    ]);
    await server.stop();
  });
});

it('tells secondaries of each change where it is told to', async () => {
  const server = await startVendor(powerdnsFront, {});
  const vendor = { definition: powerdns, options: { apiKey, notify: true } };
  await (await providerAt(vendor, server)).apply(zone, [add], signal);
  expect(server.calls.at(-1)).toBe('PUT /api/v1/servers/localhost/zones/example.test./notify');
  await server.stop();
});

async function create(
  { apiUrl, apiKey: key }: Pick<TestPowerdns, 'apiUrl' | 'apiKey'>,
  more: object = {},
): Promise<DnsProvider> {
  const options = powerdns.options.parse({ baseUrl: apiUrl, apiKey: key, ...more });
  return powerdns.create(options, createPluginContext('powerdns', hastyClock));
}

async function setup(): Promise<ProviderUnderTest> {
  const server = await startPowerdns({
    zones: ['example.test', 'sub.example.test'],
    records: [
      'example.test. 60 IN A 127.0.0.1',
      '_acme-challenge.foreign.example.test. 60 IN CAA 0 issue "ca.test"',
      '_acme-challenge.delegated.example.test. 60 IN CNAME second.example.test.',
      'second.example.test. 60 IN CNAME third.example.test.',
      'third.example.test. 60 IN CNAME proofs.sub.example.test.',
      '_acme-challenge.loop.example.test. 60 IN CNAME back.example.test.',
      'back.example.test. 60 IN CNAME _acme-challenge.loop.example.test.',
    ],
  });
  const [provider, again] = [await create(server), await create(server)];
  const wrong = await create({ ...server, apiKey: 'wrong-api-key' });
  const ask = async (name: string) => {
    const at = { address: '127.0.0.1', port: server.port };
    const reply = await query(at, { name, type: 'TXT' }, { clock: systemClock, signal });
    return reply.answers.flatMap((record) => (record.type === 'TXT' ? [record] : []));
  };
  return {
    provider,
    zone,
    again: () => again,
    txt: async (name) => (await ask(name)).map((record) => record.value),
    addForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, name, value }], signal);
    },
    removeForeign: async (name, value) => {
      await again.apply(zone, [{ ...add, op: 'remove', name, value }], signal);
    },
    snapshot: async () => (await server.zoneText(zone.name)).replaceAll(/^.*\sSOA\s.*$/gm, ''),
    stop: server.stop,
    delegated: { name: '_acme-challenge.www.sub.example.test', zone: 'sub.example.test' },
    missing: { zone: { name: 'nowhere.test', id: 'nowhere.test.' }, code: 'dns.zoneNotFound' },
    withWrongCredentials: () => wrong,
    refused: { ...add, name: '_acme-challenge.elsewhere.test' },
    ttl: async (name) => (await ask(name))[0]?.ttl,
    server: {
      port: Number(new URL(server.apiUrl).port),
      account: (port) => ({
        provider: 'powerdns',
        options: { baseUrl: `http://127.0.0.1:${port}`, apiKey: server.apiKey },
      }),
    },
    dns: server.address,
    aliases: {
      first: '_acme-challenge.delegated.example.test',
      end: 'proofs.sub.example.test',
      loop: '_acme-challenge.loop.example.test',
    },
  };
}
