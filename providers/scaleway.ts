import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { quoteTxt, unquoteTxt } from '../src/plugin/quoting.ts';
import { createRecordBatches, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 60, preferred: 60 };

const options = z.strictObject({
  secretKey: secretText().describe('Secret key of an API key with the rights below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.scaleway.com/domain/v2beta1'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'zone',
  batch: { maxChanges: 100, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 2, burst: 10, costOf: 'call' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 600_000 },
};

export const scaleway = defineDnsProvider<Options>({
  name: 'scaleway',
  title: 'Scaleway Domains and DNS',
  docs: 'https://www.scaleway.com/en/developers/api/domains-and-dns/',
  credentials: 'https://console.scaleway.com/iam/api-keys',
  options,
  traits,
  leastPrivilege:
    'An IAM application with the permission set DomainsDNSFullAccess, in the project of the zone only.',
  notes: [
    'Several changes go in one call, which is all or nothing; it never makes a zone that is not there.',
    'Its limits of requests and the least TTL are not documented.',
  ],
  create,
});

const record = z.object({ id: z.string(), name: z.string(), data: z.string(), ttl: z.number() });
const records = z.object({ records: z.array(record) });
const zones = z.object({ dns_zones: z.array(z.object({ domain: z.string(), subdomain: z.string() })) });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 5;
const pageSize = 100;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Scaleway',
      baseUrl: config.baseUrl,
      auth: () => ({ 'x-auth-token': config.secretKey.reveal() }),
      secrets: [config.secretKey],
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const relative = name === undefined ? undefined : relativeName(name, zone.name, '');
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name: relative, page, page_size: pageSize };
      const request = { doing, path: recordsOf(zone), query, zone: zone.name };
      const { records: items } = await api.read(records, request, signal);
      return { items, next: nextNumber(page, { size: pageSize, items }) };
    });
    return found.map((one) => ({
      name: absoluteName(one.name, zone.name),
      value: unquoteTxt(one.data, 10),
      ttl: one.ttl,
      handle: one.id,
    }));
  }

  return {
    ...createRecordBatches({
      list: listEachName(read, mostNames),
      async change(zone, { creates, removes }, signal) {
        const added = creates.map(({ name, value, ttl: seconds }) => ({
          type: 'TXT',
          name: relativeName(name, zone.name, ''),
          data: quoteTxt(value, 10),
          ttl: seconds,
        }));
        const changes = [
          ...removes.map(({ handle }) => ({ delete: { id: handle } })),
          ...(added.length === 0 ? [] : [{ add: { records: added } }]),
        ];
        const json = { changes, return_all_records: false, disallow_new_zone_creation: true };
        const doing = `to change the records of ${zone.name}`;
        await api.send({ doing, method: 'PATCH', path: recordsOf(zone), json, zone: zone.name }, signal);
        // Ids of what was added come in no certain order; they are read again when it goes.
        return [];
      },
    }),
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const query = { dns_zones: candidate };
        const { dns_zones } = await api.read(
          zones,
          { doing: 'to list zones', path: '/dns-zones', query },
          signal,
        );
        const isThere = dns_zones.some(
          ({ domain, subdomain }) => (subdomain === '' ? domain : `${subdomain}.${domain}`) === candidate,
        );
        return isThere ? { name: candidate } : undefined;
      }),
    async check(signal) {
      await api.send({ doing: 'to list zones', path: '/dns-zones', query: { page_size: 1 } }, signal);
    },
  };
}

function recordsOf({ name }: ZoneRef): string {
  return `/dns-zones/${name}/records`;
}
