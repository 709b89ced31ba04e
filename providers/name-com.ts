import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord } from '../src/plugin/records.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 300, preferred: 300 };

const options = z.strictObject({
  username: z.string().min(1).describe('User name of the account.'),
  token: secretText().describe('API token of the account.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.name.com/core/v1'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // An account has 20 requests a second and 3,000 an hour.
  rate: [
    { bucket: 'requests-second', perSecond: 10, burst: 10, costOf: 'change' },
    { bucket: 'requests-hour', perSecond: 0.4, burst: 1000, costOf: 'change' },
  ],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 30_000, timeoutMs: 900_000 },
};

export const nameCom = defineDnsProvider<Options>({
  name: 'name-com',
  title: 'Name.com',
  docs: 'https://docs.name.com/docs/api-reference/dns/list-records',
  credentials: 'https://www.name.com/account/settings/api',
  options,
  traits,
  leastPrivilege:
    'A token has the rights of the account; list the addresses of the machines that run the agent with it.',
  notes: [
    'A token is taken only from the addresses listed with it, if any are.',
    'Accounts with two-step verification must allow API access in their security settings.',
  ],
  create,
});

const record = z.object({
  id: z.number(),
  // Of the apex: absent, null, empty or "@".
  host: z.string().nullish(),
  type: z.string().nullish(),
  answer: z.string().nullish(),
  ttl: z.number(),
});
const records = z.object({ records: z.array(record).nullish(), nextPage: z.number().nullish() });
const created = z.object({ id: z.number() });

const pageSize = 1000;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Name.com',
      resetHeader: 'x-ratelimit-reset',
      baseUrl: config.baseUrl,
      auth: () => {
        const pair = Buffer.from(`${config.username}:${config.token.reveal()}`).toString('base64');
        return { authorization: `Basic ${pair}` };
      },
      secrets: [config.token],
    },
    context,
  );

  /** There is no filter. */
  async function readZone({ name: zone }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the records of ${zone}`;
    const found = await readPages(1, async (page) => {
      const query = { page, perPage: pageSize };
      const answer = await api.read(
        records,
        { doing, path: `/domains/${zone}/records`, query, zone },
        signal,
      );
      return { items: answer.records ?? [], next: answer.nextPage || undefined };
    });
    return found
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({
        name: absoluteName(one.host ?? '', zone),
        value: one.answer ?? '',
        ttl: one.ttl,
        handle: String(one.id),
      }));
  }

  const calls = createRecords(
    {
      list: (zone, _names, signal) => readZone(zone, signal),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = { type: 'TXT', host: relativeName(name, zone, ''), answer: value, ttl: seconds };
        const request = { doing: `to add a record at ${name}`, path: `/domains/${zone}/records`, json, zone };
        return String((await api.read(created, request, signal)).id);
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
      await api.send({ doing: 'to list domains', path: '/domains', query: { perPage: 1 } }, signal);
    },
  };
}
