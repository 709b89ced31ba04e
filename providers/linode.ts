import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 300, preferred: 300 };

const options = z.strictObject({
  token: secretText().describe('Personal access token with the scope below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.linode.com/v4'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // An account has 1,600 requests in two minutes, but 200 a minute for lists that come in pages.
  rate: [{ bucket: 'requests', perSecond: 2, burst: 60, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 120_000, timeoutMs: 1_200_000 },
};

export const linode = defineDnsProvider<Options>({
  name: 'linode',
  title: 'Linode (Akamai Cloud)',
  docs: 'https://techdocs.akamai.com/linode-api/reference/get-domain-records',
  credentials: 'https://cloud.linode.com/profile/tokens',
  options,
  traits,
  leastPrivilege:
    'Scopes of the token: domains:read_write; of its user: access to the domains concerned only.',
  notes: [
    'Zone files are published by the minute, so a change takes one to some minutes to show.',
    'TTLs other than those that Linode knows (300, 3600, 7200 …) are rounded to the nearest there.',
  ],
  create,
});

const record = z.object({ id: z.number(), name: z.string(), target: z.string(), ttl_sec: z.number() });
const page = { page: z.number(), pages: z.number() };
const records = z.object({ data: z.array(record), ...page });
const domains = z.object({ data: z.array(z.object({ id: z.number(), domain: z.string() })), ...page });
const created = z.object({ id: z.number() });

const pageSize = 500;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Linode',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.token.reveal()}` }),
      secrets: [config.token],
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const wanted = name === undefined ? {} : { name: relativeName(name, zone.name, '') };
    const found = await readPages(1, async (number) => {
      const query = { page: number, page_size: pageSize };
      const headers = { 'x-filter': JSON.stringify({ type: 'TXT', ...wanted }) };
      const request = { doing, path: recordsOf(zone), query, headers, zone: zone.name };
      const { data, pages } = await api.read(records, request, signal);
      return { items: data, next: nextNumber(number, { pages }) };
    });
    return found.map((one) => ({
      name: absoluteName(one.name, zone.name),
      value: one.target,
      ttl: one.ttl_sec,
      handle: String(one.id),
    }));
  }

  const calls = createRecords(
    {
      list: (zone, names, signal) => read(zone, names?.length === 1 ? names[0] : undefined, signal),
      async create(zone, { name, value, ttl: seconds }, signal) {
        const json = {
          type: 'TXT',
          name: relativeName(name, zone.name, ''),
          target: value,
          ttl_sec: seconds,
        };
        const request = { doing: `to add a record at ${name}`, path: recordsOf(zone), json, zone: zone.name };
        return String((await api.read(created, request, signal)).id);
      },
      async remove(zone, { name, handle }, signal) {
        const path = `${recordsOf(zone)}/${encodeURIComponent(handle)}`;
        await api.send(
          { doing: `to remove a record at ${name}`, method: 'DELETE', path, accept: [404] },
          signal,
        );
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const headers = { 'x-filter': JSON.stringify({ domain: candidate }) };
        const { data } = await api.read(
          domains,
          { doing: 'to list domains', path: '/domains', headers },
          signal,
        );
        const found = data.find(({ domain }) => domain === candidate);
        return found && { name: candidate, id: String(found.id) };
      }),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domains', query: { page_size: 25 } }, signal);
    },
  };
}

function recordsOf({ id = '' }: ZoneRef): string {
  return `/domains/${encodeURIComponent(id)}/records`;
}
