import { z } from 'zod';
import { AgentError, type ErrorCode } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { quotedForm } from '../src/plugin/quoting.ts';
import { createRecordBatches, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { findZoneByName } from '../src/plugin/zones.ts';

const ttl = { min: 60, preferred: 60 };

const options = z.strictObject({
  apiToken: secretText().describe('API token with the rights below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.cloudflare.com/client/v4'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  // Of a zone on the Free plan; others take 3,500.
  batch: { maxChanges: 200, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // A user has 1,200 requests in five minutes; a call of ours lists and changes.
  rate: [{ bucket: 'requests', perSecond: 1.3, burst: 100, costOf: 'call' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 3000, timeoutMs: 120_000 },
};

export const cloudflare = defineDnsProvider<Options>({
  name: 'cloudflare',
  title: 'Cloudflare',
  docs: 'https://developers.cloudflare.com/api/resources/dns/subresources/records/',
  credentials: 'https://dash.cloudflare.com/profile/api-tokens',
  options,
  traits,
  leastPrivilege: [
    'Permissions:     Zone / Zone / Read',
    '                 Zone / DNS / Edit',
    'Zone resources:  Include / Specific zone / example.com',
  ].join('\n'),
  notes: [
    'The Global API Key is not taken: a token can be limited to one zone.',
    'A TTL under 60 is taken by Cloudflare for zones of the Enterprise plan only, and not used.',
    'Several changes go in one batch, which is all or nothing.',
  ],
  create,
});

const codes: Readonly<Record<number, ErrorCode>> = {
  // The zone is not as it was listed a moment ago: a copy came, or a record went.
  81044: 'provider.conflict',
  81057: 'provider.conflict',
  81058: 'provider.conflict',
  6003: 'provider.auth',
  6111: 'provider.auth',
  9109: 'provider.auth',
  7003: 'dns.zoneNotFound',
};

const failure = z.object({ errors: z.array(z.object({ code: z.number(), message: z.string() })).min(1) });
const record = z.object({ id: z.string(), name: z.string(), content: z.string(), ttl: z.number() });
const paging = z.object({ total_pages: z.number().optional() }).nullish();
const records = z.object({ result: z.array(record), result_info: paging });
const zones = z.object({ result: z.array(z.object({ id: z.string(), name: z.string() })) });
const changed = z.object({ result: z.object({ posts: z.array(z.object({ id: z.string() })).nullish() }) });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
const pageSize = 1000;

function create(config: Options, context: PluginContext): DnsProvider {
  const token = config.apiToken;
  const api = createVendorApi(
    {
      vendor: 'Cloudflare',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${token.reveal()}` }),
      secrets: [token],
      fault,
    },
    context,
  );

  async function readTxt(zone: ZoneRef, name: string | undefined, signal: AbortSignal) {
    const doing = `to list the TXT records of ${zone.name}`;
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name, page, per_page: pageSize };
      const path = `/zones/${zone.id}/dns_records`;
      const request = { doing, path, query, zone: zone.name, maxBytes: 4 * 1024 * 1024 };
      const { result, result_info } = await api.read(records, request, signal);
      return { items: result, next: nextNumber(page, { pages: result_info?.total_pages ?? 1 }) };
    });
    return found.map(
      (one): HeldRecord => ({
        name: one.name.toLowerCase(),
        value: quotedForm.read(one.content),
        ttl: one.ttl,
        handle: one.id,
      }),
    );
  }

  function listZones(name: string | undefined, signal: AbortSignal) {
    const query = { name, per_page: 50 };
    return api.read(zones, { doing: 'to list zones', path: '/zones', query }, signal);
  }

  const calls = createRecordBatches({
    list: listEachName(readTxt, mostNames),
    async change(zone, { creates, removes }, signal) {
      const json = {
        deletes: removes.map(({ handle }) => ({ id: handle })),
        posts: creates.map(({ name, value, ttl: seconds }) => ({
          type: 'TXT',
          name,
          content: quotedForm.write(value),
          ttl: seconds,
        })),
      };
      const path = `/zones/${zone.id}/dns_records/batch`;
      const doing = `to change the records of ${zone.name}`;
      const { result } = await api.read(changed, { doing, path, json, zone: zone.name }, signal);
      return (result.posts ?? []).map(({ id }) => id);
    },
  });

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const { result } = await listZones(candidate, signal);
        return result.find((zone) => zone.name === candidate);
      }),
    async check(signal) {
      const { result } = await listZones(undefined, signal);
      if (result.length > 0) return;
      throw new AgentError(
        'provider.forbidden',
        'Cloudflare shows no zone to this token; include the zone in its zone resources',
      );
    },
  };
}

function fault({ body }: VendorAnswer): VendorFault | undefined {
  const parsed = failure.safeParse(body);
  if (!parsed.success) return undefined;
  const { errors } = parsed.data;
  return {
    code: errors.map(({ code }) => codes[code]).find((code) => code !== undefined),
    words: errors.map(({ code, message }) => `${message} [${code}]`).join('; '),
  };
}
