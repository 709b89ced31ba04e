import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption } from '../src/plugin/fields.ts';
import { nextLink, readPages } from '../src/plugin/pages.ts';
import { quotedForm } from '../src/plugin/quoting.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSets, type SetChange, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, longestZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 3600, preferred: 3600 };

const options = z.strictObject({
  token: secretText().describe('Token with the rights below.'),
  ttl: ttlOption({ ...ttl, min: 60 }),
  baseUrl: baseUrlOption('https://desec.io/api/v1'),
});

type Options = z.infer<typeof options>;

const minute = 60;
const hour = 3600;
const day = 86_400;
/** Requests of one call of ours, at most. */
const perCall = 3;

const traits: ProviderTraits = {
  model: 'rrset-replace',
  serialize: 'zone',
  batch: { maxChanges: 500, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Of a domain; all at once. Reads have more room: 10 a second, 50 a minute, and one comes before each write.
  rate: [
    { bucket: 'zone-second', perSecond: 2, burst: 2, costOf: 'call' },
    { bucket: 'zone-minute', perSecond: 15 / minute, burst: 15, costOf: 'call' },
    { bucket: 'zone-hour', perSecond: 100 / hour, burst: 100, costOf: 'call' },
    { bucket: 'zone-day', perSecond: 300 / day, burst: 300, costOf: 'call' },
    // Of an account, whatever it asks: a call of ours reads and writes.
    { bucket: 'day', perSecond: 2000 / perCall / day, burst: 2000 / perCall, costOf: 'call' },
  ],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 600_000 },
};

export const desec = defineDnsProvider<Options>({
  name: 'desec',
  title: 'deSEC',
  docs: 'https://desec.readthedocs.io/en/latest/dns/rrsets.html',
  credentials: 'https://desec.io/tokens',
  options,
  traits,
  leastPrivilege: [
    'A token without the right to manage tokens or to create domains, and two policies:',
    '  {"domain": null, "subname": null, "type": null, "perm_write": false}',
    '  {"domain": "example.com", "subname": null, "type": "TXT", "perm_write": true}',
  ].join('\n'),
  notes: [
    'A domain takes 2 writes a second, 15 a minute, 100 an hour and 300 a day: what comes together goes in one.',
    'An account has 2,000 requests a day over all domains, of which we use no more than a third as calls that read and write; deSEC may allow an account another number.',
    'The least TTL is that of the domain (its minimum_ttl, usually 3600); a domain that allows less is told by "ttl".',
  ],
  create,
});

const domains = z.array(z.object({ name: z.string() }));
const rrsets = z.array(z.object({ subname: z.string(), ttl: z.number(), records: z.array(z.string()) }));

const mostNames = 2;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'deSEC',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Token ${config.token.reveal()}` }),
      secrets: [config.token],
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<TxtSet[]> {
    const subname = name === undefined ? undefined : relativeName(name, zone.name, '');
    const start = new URLSearchParams({ type: 'TXT', ...(subname !== undefined && { subname }), cursor: '' });
    const sets = await readPages(`/domains/${zone.name}/rrsets/?${start}`, async (path) => {
      const doing = `to list the TXT records of ${zone.name}`;
      const answer = await api.send({ doing, path, zone: zone.name, maxBytes: 4 * 1024 * 1024 }, signal);
      return { items: api.parse(rrsets, answer, doing), next: nextLink(answer.headers.link) };
    });
    return sets.map(({ subname: relative, ttl: seconds, records }) => ({
      name: absoluteName(relative, zone.name),
      ttl: seconds,
      values: records,
    }));
  }

  const sets = createSets(
    {
      form: quotedForm,
      scope: 'zone',
      read: listEachName(read, mostNames),
      async write(zone, changes, signal) {
        const json = changes.map((change) => toRrset(zone.name, change));
        const path = `/domains/${zone.name}/rrsets/`;
        const doing = `to change the records of ${zone.name}`;
        await api.send({ doing, method: 'PATCH', path, json, zone: zone.name }, signal);
        return undefined;
      },
    },
    traits,
  );

  return {
    ...sets,
    traits: { ...traits, ttl: { min: config.ttl, preferred: config.ttl } },
    async findZone(name, signal) {
      // It answers with the one domain that is responsible for the name, if the account has it.
      const request = { doing: 'to list domains', path: '/domains/', query: { owns_qname: name } };
      return longestZone(name, await api.read(domains, request, signal));
    },
    async check(signal) {
      await api.read(domains, { doing: 'to list domains', path: '/domains/?cursor=' }, signal);
    },
  };
}

/** No records: there shall be none. */
function toRrset(zone: string, { name, before, after }: SetChange) {
  return {
    subname: relativeName(name, zone, ''),
    type: 'TXT',
    ttl: after?.ttl ?? before?.ttl,
    records: after?.values ?? [],
  };
}
