import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { quotedForm } from '../src/plugin/quoting.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSets, type SetChange, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findShownZone, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 300, preferred: 300 };

const options = z.strictObject({
  token: secretText().describe('Personal access token with the right below.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.gandi.net/v5/livedns'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'rrset-replace',
  serialize: 'name',
  batch: { maxChanges: 50, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // An address has 1,000 requests a minute; a change reads and writes.
  rate: [{ bucket: 'requests', perSecond: 5, burst: 100, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 60_000, timeoutMs: 1_200_000 },
};

export const gandi = defineDnsProvider<Options>({
  name: 'gandi',
  title: 'Gandi LiveDNS',
  docs: 'https://api.gandi.net/docs/livedns/',
  credentials: 'https://admin.gandi.net/organizations/account/pat',
  options,
  traits,
  leastPrivilege:
    'A token for the domains concerned, with the permissions "See and renew domain names" and "Manage domain name technical configurations".',
  notes: [
    'API keys of the older kind are not taken: they have all rights, and Gandi has deprecated them.',
    'A token is good for a year at most: note when to replace it.',
    'A change takes from seconds to many minutes until all of its servers show it.',
    'That a list of more than 500 sets goes on with the next page could not be confirmed.',
  ],
  create,
});

const rrset = z.object({
  rrset_name: z.string(),
  rrset_type: z.string(),
  rrset_ttl: z.number(),
  rrset_values: z.array(z.string()),
});
const rrsets = z.array(rrset);

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 5;
const pageSize = 500;

function create(config: Options, context: PluginContext): DnsProvider {
  const api = createVendorApi(
    {
      vendor: 'Gandi',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.token.reveal()}` }),
      secrets: [config.token],
    },
    context,
  );

  async function readName(zone: ZoneRef, name: string, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to show the TXT records at ${name}`;
    const answer = await api.send({ doing, path: pathOf(zone, name), accept: [404] }, signal);
    return answer.status === 404 ? [] : [toSet(api.parse(rrset, answer, doing), zone)];
  }

  async function readZone(zone: ZoneRef, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const found = await readPages(1, async (page) => {
      const query = { page, per_page: pageSize };
      const path = `/domains/${zone.name}/records`;
      const items = await api.read(rrsets, { doing, path, query, zone: zone.name }, signal);
      return { items, next: nextNumber(page, { size: pageSize, items }) };
    });
    return found.filter(({ rrset_type }) => rrset_type === 'TXT').map((set) => toSet(set, zone));
  }

  async function write(zone: ZoneRef, { name, after }: SetChange, signal: AbortSignal): Promise<void> {
    const request = {
      doing: `to change the TXT records at ${name}`,
      path: pathOf(zone, name),
      zone: zone.name,
    };
    if (after === undefined) {
      await api.send({ ...request, method: 'DELETE', accept: [404] }, signal);
      return;
    }
    const json = { rrset_ttl: after.ttl, rrset_values: after.values };
    await api.send({ ...request, method: 'PUT', json }, signal);
  }

  return {
    ...createSets(
      {
        form: quotedForm,
        scope: 'name',
        read: listEachName(
          (zone, name, signal) =>
            name === undefined ? readZone(zone, signal) : readName(zone, name, signal),
          mostNames,
        ),
        write,
      },
      traits,
    ),
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

function pathOf({ name: zone }: ZoneRef, name: string): string {
  return `/domains/${zone}/records/${encodeURIComponent(relativeName(name, zone, '@'))}/TXT`;
}

function toSet({ rrset_name, rrset_ttl, rrset_values }: z.infer<typeof rrset>, zone: ZoneRef): TxtSet {
  return { name: absoluteName(rrset_name, zone.name), ttl: rrset_ttl, values: rrset_values };
}
