import { z } from 'zod';
import { isAgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { unquoteTxt } from '../src/plugin/quoting.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 300, preferred: 300 };

const options = z.strictObject({
  token: secretText().describe('API token with the scope below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.infomaniak.com/2'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // A token has 60 requests a minute.
  rate: [{ bucket: 'requests', perSecond: 0.5, burst: 15, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 30_000, timeoutMs: 1_200_000 },
};

export const infomaniak = defineDnsProvider<Options>({
  name: 'infomaniak',
  title: 'Infomaniak',
  docs: 'https://developer.infomaniak.com/docs/api/get/2/zones/%7Bzone%7D/records',
  credentials: 'https://manager.infomaniak.com/v3/ng/accounts/token/list',
  options,
  traits,
  leastPrivilege: 'Scope of the token: domain',
  notes: [
    'A token cannot be limited to one domain.',
    'Whether its lists of records come in pages could not be confirmed; they are read as if they did where the answer says so.',
  ],
  create,
});

const id = z.coerce.string();
const record = z.object({
  id,
  source: z.string(),
  type: z.string(),
  target: z.string(),
  ttl: z.number(),
});
const existing = z.object({ data: z.boolean() });
const records = z.object({ data: z.array(record), pages: z.number().optional() });
const created = z.object({ data: z.object({ id }) });

/** How it writes the name of the zone itself. */
const apex = '.';

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Infomaniak',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.token.reveal()}` }),
      secrets: [config.token],
      fault,
    },
    context,
  );

  async function readZone({ name: zone }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone}`;
    const found = await readPages(1, async (page) => {
      const query = { 'filter[types][]': 'TXT', page };
      const request = { doing, path: `/zones/${zone}/records`, query, zone, maxBytes: 4 * 1024 * 1024 };
      const { data, pages = 1 } = await api.read(records, request, signal);
      return { items: data, next: nextNumber(page, { pages }) };
    });
    return found
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({
        name: absoluteName(one.source, zone),
        value: one.target.startsWith('"') ? unquoteTxt(one.target, 10) : one.target,
        ttl: one.ttl,
        handle: one.id,
      }));
  }

  const calls = createRecords(
    {
      list: (zone, _names, signal) => readZone(zone, signal),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = { type: 'TXT', source: relativeName(name, zone, apex), target: value, ttl: seconds };
        const request = { doing: `to add a record at ${name}`, path: `/zones/${zone}/records`, json, zone };
        return (await api.read(created, request, signal)).data.id;
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const path = `/zones/${zone}/records/${encodeURIComponent(handle)}`;
        const request = { doing: `to remove a record at ${name}`, method: 'DELETE', path, zone } as const;
        await api.send(request, signal).catch(unlessGone(undefined));
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const request = {
          doing: `to say whether there is a zone ${candidate}`,
          path: `/zones/${candidate}/exists`,
          zone: candidate,
        };
        const { data } = await api.read(existing, request, signal).catch(unlessGone({ data: false }));
        return data ? { name: candidate } : undefined;
      }),
    async check(signal) {
      await api.send({ doing: 'to show the profile', path: '/profile' }, signal);
    },
  };
}

const failure = z.object({ error: z.object({ code: z.string() }) });

/** The code says that what was asked for is not there; with which status is not documented. */
function fault({ body }: VendorAnswer): VendorFault | undefined {
  const code = failure.safeParse(body).data?.error.code;
  return code === 'object_not_found' ? { code: 'dns.zoneNotFound' } : undefined;
}

function unlessGone<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (isAgentError(error, 'dns.zoneNotFound')) return instead;
    throw error;
  };
}
