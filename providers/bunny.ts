import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 15, preferred: 60 };

const options = z.strictObject({
  accessKey: secretText().describe('API key of the account.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.bunny.net'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 5, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 300_000 },
};

export const bunny = defineDnsProvider<Options>({
  name: 'bunny',
  title: 'bunny.net',
  docs: 'https://docs.bunny.net/reference/dnszonepublic_index',
  credentials: 'https://dash.bunny.net/account/api-key',
  options,
  traits,
  leastPrivilege:
    'bunny.net has one API key an account, with all rights: keep it in a file or in the environment.',
  notes: ['Its limits of requests and the least TTL are not documented.'],
  create,
});

/** The record type in its API: clients in use know it by the number, its newer documentation shows the name. */
const txt = 3;
const txtName = 'TXT';

const record = z.object({
  Id: z.number(),
  Type: z.union([z.number(), z.string()]),
  Ttl: z.number(),
  Value: z.string().nullable(),
  Name: z.string().nullable(),
});
const zone = z.object({ Id: z.number(), Domain: z.string() });
const zones = z.object({ Items: z.array(zone), HasMoreItems: z.boolean() });
const zoneRecords = z.object({ Records: z.array(record) });
const created = z.object({ Id: z.number() });

const pageSize = 1000;
const zoneBytes = 32 * 1024 * 1024;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'bunny.net',
      baseUrl: config.baseUrl,
      auth: () => ({ accesskey: config.accessKey.reveal() }),
      secrets: [config.accessKey],
    },
    context,
  );

  function listZones(search: string, signal: AbortSignal) {
    return readPages(1, async (page) => {
      const request = {
        doing: 'to list zones',
        path: '/dnszone',
        query: { search, page, perPage: pageSize },
      };
      const { Items, HasMoreItems } = await api.read(zones, request, signal);
      return { items: Items, next: HasMoreItems ? page + 1 : undefined };
    });
  }

  /** A zone comes with all its records. */
  async function readZone({ id, name }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the records of ${name}`;
    const request = { doing, path: `/dnszone/${id}`, zone: name, maxBytes: zoneBytes };
    const { Records } = await api.read(zoneRecords, request, signal);
    return Records.filter(({ Type }) => Type === txt || Type === txtName).map((one) => ({
      name: absoluteName(one.Name ?? '', name),
      value: one.Value ?? '',
      ttl: one.Ttl,
      handle: String(one.Id),
    }));
  }

  const calls = createRecords(
    {
      list: (held, _names, signal) => readZone(held, signal),
      async create({ id, name: apex }, { name, value, ttl: seconds }, signal) {
        const json = { Type: txt, Ttl: seconds, Value: value, Name: relativeName(name, apex, '') };
        const path = `/dnszone/${id}/records`;
        const request = {
          doing: `to add a record at ${name}`,
          method: 'PUT',
          path,
          json,
          zone: apex,
        } as const;
        return String((await api.read(created, request, signal)).Id);
      },
      async remove({ id }, { name, handle }, signal) {
        const path = `/dnszone/${id}/records/${encodeURIComponent(handle)}`;
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
        // It searches in parts of names.
        const found = (await listZones(candidate, signal)).find(({ Domain }) => Domain === candidate);
        return found && { name: candidate, id: String(found.Id) };
      }),
    async check(signal) {
      await api.send({ doing: 'to list zones', path: '/dnszone', query: { page: 1, perPage: 5 } }, signal);
    },
  };
}
