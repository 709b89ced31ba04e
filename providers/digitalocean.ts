import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 30, preferred: 30 };

const options = z.strictObject({
  token: secretText().describe('Personal access token with the scopes below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.digitalocean.com/v2'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // A token has 5,000 requests an hour, 250 of them in one minute.
  rate: [
    { bucket: 'requests-minute', perSecond: 2, burst: 100, costOf: 'change' },
    { bucket: 'requests-hour', perSecond: 0.6, burst: 2000, costOf: 'change' },
  ],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 5000, timeoutMs: 300_000 },
};

export const digitalocean = defineDnsProvider<Options>({
  name: 'digitalocean',
  title: 'DigitalOcean',
  docs: 'https://docs.digitalocean.com/reference/api/reference/domain-records/',
  credentials: 'https://cloud.digitalocean.com/account/api/tokens',
  options,
  traits,
  leastPrivilege: 'Custom scopes of the token: domain:read, domain:create, domain:update, domain:delete',
  notes: [
    'A token cannot be limited to one domain.',
    'How TXT values with quotes or backslashes are kept is not documented; values of challenges have none.',
  ],
  create,
});

const record = z.object({ id: z.number(), name: z.string(), data: z.string(), ttl: z.number() });
const created = z.object({ domain_record: z.object({ id: z.number() }) });
const links = z.object({ pages: z.object({ next: z.string().optional() }).optional() }).optional();
const records = z.object({ domain_records: z.array(record), links });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
const pageSize = 200;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'DigitalOcean',
      resetHeader: 'ratelimit-reset',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.token.reveal()}` }),
      secrets: [config.token],
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name, page, per_page: pageSize };
      const request = { doing, path: `/domains/${zone.name}/records`, query, zone: zone.name };
      const answer = await api.read(records, request, signal);
      const isLast = answer.links?.pages?.next === undefined;
      return { items: answer.domain_records, next: isLast ? undefined : page + 1 };
    });
    return found.map((one) => ({
      name: absoluteName(one.name, zone.name),
      value: one.data,
      ttl: one.ttl,
      handle: String(one.id),
    }));
  }

  const calls = createRecords(
    {
      list: listEachName(read, mostNames),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = { type: 'TXT', name: relativeName(name, zone, '@'), data: value, ttl: seconds };
        const request = { doing: `to add a record at ${name}`, path: `/domains/${zone}/records`, json, zone };
        return String((await api.read(created, request, signal)).domain_record.id);
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const path = `/domains/${zone}/records/${encodeURIComponent(handle)}`;
        const doing = `to remove a record at ${name}`;
        await api.send({ doing, method: 'DELETE', path, accept: [404] }, signal);
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    findZone: findShownZone(api, (candidate) => ({
      doing: `to show the domain ${candidate}`,
      path: `/domains/${candidate}`,
    })),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domains', query: { per_page: 1 } }, signal);
    },
  };
}
