import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { quoteTxt, unquoteTxt } from '../src/plugin/quoting.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 60, preferred: 60 };

const options = z.strictObject({
  token: secretText().describe('API token of the account (or of a user, then with "account").'),
  account: z
    .string()
    .regex(/^\d+$/, 'must be the number of the account, in quotes')
    .optional()
    .describe('Number of the account; needed with the token of a user who has several.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.dnsimple.com/v2'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // A token has 2,400 requests an hour.
  rate: [{ bucket: 'requests', perSecond: 0.5, burst: 400, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 5000, timeoutMs: 300_000 },
};

export const dnsimple = defineDnsProvider<Options>({
  name: 'dnsimple',
  title: 'DNSimple',
  docs: 'https://developer.dnsimple.com/v2/zones/records/',
  credentials: 'https://dnsimple.com/user/tokens',
  options,
  traits,
  leastPrivilege: 'An account token; with scoped tokens: the zone concerned, full access to its records.',
  notes: [
    'The call for many changes at once is for the Enterprise plan only, so each change is a call.',
    'The least TTL is not documented; 60 is the lowest that its own pages offer.',
  ],
  create,
});

const record = z.object({ id: z.number(), name: z.string(), content: z.string(), ttl: z.number() });
const pagination = z.object({ total_pages: z.number() });
const records = z.object({ data: z.array(record), pagination });
const created = z.object({ data: z.object({ id: z.number() }) });
const identity = z.object({ data: z.object({ account: z.object({ id: z.number() }).nullish() }) });
const accounts = z.object({ data: z.array(z.object({ id: z.number() })) });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
const pageSize = 100;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'DNSimple',
      resetHeader: 'x-ratelimit-reset',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.token.reveal()}` }),
      secrets: [config.token],
    },
    context,
  );
  let known = config.account;

  async function account(signal: AbortSignal): Promise<string> {
    known ??= await askAccount(signal);
    return known;
  }

  async function askAccount(signal: AbortSignal): Promise<string> {
    const { data } = await api.read(
      identity,
      { doing: 'to say whose token this is', path: '/whoami' },
      signal,
    );
    if (data.account) return String(data.account.id);
    const all = await api.read(accounts, { doing: 'to list accounts', path: '/accounts' }, signal);
    const [only, ...others] = all.data;
    if (only !== undefined && others.length === 0) return String(only.id);
    throw new AgentError(
      'provider.invalid',
      `DNSimple shows ${all.data.length} accounts to this token; name one of them as "account"`,
    );
  }

  async function recordsOf({ name }: ZoneRef, signal: AbortSignal): Promise<string> {
    return `/${await account(signal)}/zones/${name}/records`;
  }

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const relative = name === undefined ? undefined : relativeName(name, zone.name, '');
    const path = await recordsOf(zone, signal);
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name: relative, page, per_page: pageSize };
      const answer = await api.read(records, { doing, path, query, zone: zone.name }, signal);
      return { items: answer.data, next: nextNumber(page, { pages: answer.pagination.total_pages }) };
    });
    return found.map((one) => ({
      name: absoluteName(one.name, zone.name),
      value: one.content.startsWith('"') ? unquoteTxt(one.content, 10) : one.content,
      ttl: one.ttl,
      handle: String(one.id),
    }));
  }

  const calls = createRecords(
    {
      list: listEachName(read, mostNames),
      async create(zone, { name, value, ttl: seconds }, signal) {
        const json = {
          type: 'TXT',
          name: relativeName(name, zone.name, ''),
          content: quoteTxt(value, 10),
          ttl: seconds,
        };
        const path = await recordsOf(zone, signal);
        const request = { doing: `to add a record at ${name}`, path, json, zone: zone.name };
        return String((await api.read(created, request, signal)).data.id);
      },
      async remove(zone, { name, handle }, signal) {
        const path = `${await recordsOf(zone, signal)}/${encodeURIComponent(handle)}`;
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
    findZone: findShownZone(api, async (candidate, signal) => ({
      doing: `to show ${candidate}`,
      path: `/${await account(signal)}/zones/${candidate}`,
    })),
    async check(signal) {
      const path = `/${await account(signal)}/zones`;
      await api.send({ doing: 'to list zones', path, query: { per_page: 1 } }, signal);
    },
  };
}
