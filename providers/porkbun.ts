import { z } from 'zod';
import { type ErrorCode, isAgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { longestZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 600, preferred: 600 };

const options = z.strictObject({
  apiKey: secretText().describe('API key (pk1_…).'),
  secretApiKey: secretText().describe('Secret of that key (sk1_…).'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.porkbun.com/api/json/v3'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'zone',
  batch: { maxChanges: 10, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 1, burst: 10, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 30_000, timeoutMs: 900_000 },
};

export const porkbun = defineDnsProvider<Options>({
  name: 'porkbun',
  title: 'Porkbun',
  docs: 'https://porkbun.com/api/json/v3/documentation',
  credentials: 'https://porkbun.com/account/api',
  options,
  traits,
  leastPrivilege:
    'A key has the rights of the account. Switch on "API Access" only for the domains concerned.',
  notes: [
    'Each domain needs the switch "API Access" in its settings, or the account that for all.',
    'How many requests for records it takes is not documented; we make about one a second, since it refuses more now and then.',
    'The code of an answer about a domain without API access is not documented: its words are looked for.',
    'The least TTL is that of its own pages; its API documentation names none.',
  ],
  create,
});

const record = z.object({
  id: z.coerce.string(),
  name: z.string(),
  type: z.string(),
  content: z.string().nullish(),
  ttl: z.coerce.number(),
});
const records = z.object({ records: z.array(record) });
const created = z.object({ id: z.coerce.string() });
const domains = z.object({ domains: z.array(z.object({ domain: z.string() })) });

/** Domains in one answer. */
const pageSize = 1000;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Porkbun',
      baseUrl: config.baseUrl,
      secrets: [config.apiKey, config.secretApiKey],
      fault,
      remedies: { 'provider.forbidden': 'switch on "API Access" in the settings of the domain' },
    },
    context,
  );

  /** Credentials go in the body of each call. */
  function bodyOf(content: object = {}) {
    return { apikey: config.apiKey.reveal(), secretapikey: config.secretApiKey.reveal(), ...content };
  }

  async function readZone({ name: zone }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the records of ${zone}`;
    const request = { doing, path: `/dns/retrieve/${zone}`, json: bodyOf(), zone };
    const found = await api.read(records, request, signal);
    return found.records
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({
        name: one.name.toLowerCase(),
        value: one.content ?? '',
        ttl: one.ttl,
        handle: one.id,
      }));
  }

  function listDomains(signal: AbortSignal): Promise<{ domain: string }[]> {
    return readPages(0, async (start) => {
      const json = bodyOf({ start: String(start) });
      const answer = await api.read(
        domains,
        { doing: 'to list domains', path: '/domain/listAll', json },
        signal,
      );
      const isLast = answer.domains.length < pageSize;
      return { items: answer.domains, next: isLast ? undefined : start + pageSize };
    });
  }

  const calls = createRecords(
    {
      list: (zone, _names, signal) => readZone(zone, signal),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const content = {
          type: 'TXT',
          name: relativeName(name, zone, ''),
          content: value,
          ttl: String(seconds),
        };
        const request = {
          doing: `to add a record at ${name}`,
          path: `/dns/create/${zone}`,
          json: bodyOf(content),
          zone,
        };
        return (await api.read(created, request, signal)).id;
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const path = `/dns/delete/${zone}/${encodeURIComponent(handle)}`;
        const request = { doing: `to remove a record at ${name}`, path, json: bodyOf(), zone };
        await api.send(request, signal).catch((error: unknown) => {
          if (!isAgentError(error, 'provider.invalid') || !isGone.test(error.message)) throw error;
        });
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    async findZone(name, signal) {
      const all = await listDomains(signal);
      return longestZone(
        name,
        all.map(({ domain }) => ({ name: domain })),
      );
    },
    async check(signal) {
      await api.send({ doing: 'to answer', path: '/ping', json: bodyOf() }, signal);
    },
  };
}

const isGone = /invalid[ _]record[ _]id/i;
const failure = z.object({
  status: z.literal('ERROR'),
  code: z.string().default(''),
  message: z.string().default(''),
  ttlRemaining: z.coerce.number().optional(),
});

/** Its refusals have one status; the code tells them apart, or the words where there is none that is documented. */
const codes: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^INVALID_API_KEYS|^API_KEY_REQUIRED|^INVALID_(?:TOKEN|USER)$|invalid api key/im, 'provider.auth'],
  [/opted in to api access/i, 'provider.forbidden'],
  [/^INVALID_DOMAIN$|invalid domain/im, 'dns.zoneNotFound'],
  [/^RATE_LIMIT_EXCEEDED$/m, 'provider.throttled'],
];

function fault({ status, body }: VendorAnswer): VendorFault | undefined {
  const error = failure.safeParse(body).data;
  if (error === undefined || status >= 500) return undefined;
  const { code, message, ttlRemaining } = error;
  const known = codes.find(([pattern]) => pattern.test(`${code}\n${message}`))?.[1];
  return {
    code: known ?? (status === 429 ? 'provider.throttled' : 'provider.invalid'),
    words: code === '' ? message : `${message} [${code}]`,
    ...(ttlRemaining !== undefined && { retryAfterMs: ttlRemaining * 1000 }),
  };
}
