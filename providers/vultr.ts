import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 120, preferred: 120 };

const options = z.strictObject({
  apiKey: secretText().describe('API key of the account, or of a user with the right below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.vultr.com/v2'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // An address has 30 requests a second.
  rate: [{ bucket: 'requests', perSecond: 15, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 600_000 },
};

export const vultr = defineDnsProvider<Options>({
  name: 'vultr',
  title: 'Vultr',
  docs: 'https://www.vultr.com/api/#tag/dns',
  credentials: 'https://my.vultr.com/settings/#settingsapi',
  options,
  traits,
  leastPrivilege: [
    'A user of the account with API access and the one permission "Manage DNS".',
    'Access control of the key: the addresses of the machines that run the agent.',
  ].join('\n'),
  notes: [
    'A key is taken only from the addresses in its access control list.',
    'The least TTL that Vultr keeps is not documented; 120 is what its clients use.',
    'Vultr wants one TTL for all TXT records at a name: where some stand, a new one has theirs.',
    'Vultr takes no quotation marks within a text; no challenge has any.',
  ],
  create,
});

const record = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string(),
  data: z.string(),
  ttl: z.number(),
});
const created = z.object({ record: z.object({ id: z.string() }) });
const meta = z.object({ links: z.object({ next: z.string() }) }).optional();
const records = z.object({ records: z.array(record), meta });

const pageSize = 500;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Vultr',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.apiKey.reveal()}` }),
      secrets: [config.apiKey],
      remedies: {
        'provider.auth': 'check the key, and that its access control list has the address of this machine',
      },
    },
    context,
  );

  /** There is no filter. */
  async function readZone({ name: zone }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the records of ${zone}`;
    const found = await readPages('', async (cursor) => {
      const query = { per_page: pageSize, cursor: cursor === '' ? undefined : cursor };
      const answer = await api.read(
        records,
        { doing, path: `/domains/${zone}/records`, query, zone },
        signal,
      );
      const next = answer.meta?.links.next;
      return { items: answer.records, next: next === '' ? undefined : next };
    });
    return found
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({
        name: absoluteName(one.name, zone),
        value: one.data.replace(/^"(.*)"$/s, '$1'),
        ttl: one.ttl,
        handle: one.id,
      }));
  }

  const calls = createRecords(
    {
      oneTtl: true,
      list: (zone, _names, signal) => readZone(zone, signal),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = {
          type: 'TXT',
          name: relativeName(name, zone, ''),
          data: `"${value}"`,
          ttl: seconds,
        };
        const request = { doing: `to add a record at ${name}`, path: `/domains/${zone}/records`, json, zone };
        return (await api.read(created, request, signal)).record.id;
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const path = `/domains/${zone}/records/${encodeURIComponent(handle)}`;
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
    findZone: findShownZone(api, (candidate) => ({
      doing: `to show the domain ${candidate}`,
      path: `/domains/${candidate}`,
    })),
    async check(signal) {
      await api.send({ doing: 'to list domains', path: '/domains', query: { per_page: 1 } }, signal);
    },
  };
}
