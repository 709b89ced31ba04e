import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { quotedForm } from '../src/plugin/quoting.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSets, type SetChange, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const ttl = { min: 60, preferred: 60 };

const options = z.strictObject({
  apiToken: secretText().describe(
    'Token of the Cloud project that has the zones, with the right to read and write.',
  ),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.hetzner.cloud/v1'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'rrset-atomic',
  serialize: 'zone',
  batch: { maxChanges: 50, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // A project has 3,600 requests an hour, one more each second; a value costs one to change and one to see it done.
  rate: [{ bucket: 'requests', perSecond: 0.4, burst: 400, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 3000, timeoutMs: 300_000 },
};

export const hetzner = defineDnsProvider<Options>({
  name: 'hetzner',
  title: 'Hetzner DNS (Cloud API)',
  docs: 'https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions',
  credentials: 'https://console.hetzner.com/projects',
  options,
  traits,
  leastPrivilege:
    'A project of its own for the zones; in it, under Security / API tokens, a token with "Read & Write".\nHetzner has no token for single zones.',
  notes: [
    'Zones of the old DNS Console (dns.hetzner.com) must be moved to a Cloud project first.',
    'Values are added to and removed from a record set by the server; whole sets are never written.',
    'What the API answers to a value that is there already could not be confirmed: it is looked up before.',
    'A set that stands there keeps its TTL.',
  ],
  create,
});

const zones = z.object({ zones: z.array(z.object({ id: z.number(), name: z.string(), mode: z.string() })) });
const rrset = z.object({
  name: z.string(),
  ttl: z.number().nullable(),
  records: z.array(z.object({ value: z.string() })),
});
const rrsets = z.object({
  rrsets: z.array(rrset),
  meta: z.object({ pagination: z.object({ next_page: z.number().nullable() }) }),
});
const action = z.object({
  id: z.number(),
  status: z.enum(['running', 'success', 'error']),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});
const started = z.object({ action });

/** Beyond, reading the zone in pages costs less. */
const mostNames = 10;
/** The longest that the API gives. */
const pageSize = 50;
const firstPauseMs = 100;
const longestPauseMs = 2000;
const longestActionMs = 60_000;

function create(config: Options, context: PluginContext): DnsProvider {
  const { clock } = context;
  const api = createVendorApi(
    {
      vendor: 'Hetzner',
      baseUrl: config.baseUrl,
      auth: () => ({ authorization: `Bearer ${config.apiToken.reveal()}` }),
      secrets: [config.apiToken],
      // Locked: an earlier action of the zone is not finished.
      fault: ({ status }) => (status === 423 ? { code: 'provider.conflict' } : undefined),
    },
    context,
  );

  async function readTxt(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const relative = name === undefined ? undefined : relativeName(name, zone.name, '@');
    const found = await readPages(1, async (page) => {
      const query = { type: 'TXT', name: relative, page, per_page: pageSize };
      const request = { doing, path: `/zones/${zone.id}/rrsets`, query, zone: zone.name };
      const { rrsets: items, meta } = await api.read(rrsets, request, signal);
      return { items, next: meta.pagination.next_page ?? undefined };
    });
    return found.map((set) => ({
      name: absoluteName(set.name, zone.name),
      ttl: set.ttl ?? 0,
      values: set.records.map(({ value }) => value),
    }));
  }

  function listZones(name: string | undefined, signal: AbortSignal) {
    return api.read(zones, { doing: 'to list zones', path: '/zones', query: { name } }, signal);
  }

  /** Adds before it removes, so that the set does not vanish between. */
  async function write(zone: ZoneRef, { name, before, after }: SetChange, signal: AbortSignal) {
    const [old, wanted] = [before?.values ?? [], after?.values ?? []];
    const adds = wanted.filter((value) => !old.includes(value));
    const removes = old.filter((value) => !wanted.includes(value));
    // The set that is there has a TTL of its own.
    const seconds = before === undefined ? after?.ttl : undefined;
    if (adds.length > 0) await act(zone, { name, verb: 'add_records', values: adds, ttl: seconds }, signal);
    if (removes.length > 0) await act(zone, { name, verb: 'remove_records', values: removes }, signal);
  }

  async function act(zone: ZoneRef, { name, verb, values, ttl: seconds }: Act, signal: AbortSignal) {
    const relative = encodeURIComponent(relativeName(name, zone.name, '@'));
    const path = `/zones/${zone.id}/rrsets/${relative}/TXT/actions/${verb}`;
    const json = { ttl: seconds, records: values.map((value) => ({ value })) };
    const doing = `to change the TXT records of ${name}`;
    const { action: first } = await api.read(started, { doing, path, json, zone: zone.name }, signal);
    const until = clock.now() + longestActionMs;
    let last = first;
    for (
      let pauseMs = firstPauseMs;
      last.status === 'running';
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    ) {
      if (clock.now() > until)
        throw new AgentError(
          'provider.unavailable',
          `Hetzner is not done ${doing} after ${longestActionMs / 1000} s`,
        );
      await clock.sleep(pauseMs, signal);
      const request = { doing: 'to tell the state of an action', path: `/actions/${first.id}` };
      last = (await api.read(started, request, signal)).action;
    }
    if (last.status === 'error')
      throw new AgentError(
        'provider.invalid',
        `Hetzner fails ${doing} (${last.error?.code}: ${last.error?.message})`,
      );
  }

  const sets = createSets(
    {
      form: quotedForm,
      scope: 'name',
      read: listEachName(readTxt, mostNames),
      write,
    },
    traits,
  );

  return {
    ...sets,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const found = (await listZones(candidate, signal)).zones.find((zone) => zone.name === candidate);
        return found?.mode === 'primary' ? { name: candidate, id: String(found.id) } : undefined;
      }),
    async check(signal) {
      if ((await listZones(undefined, signal)).zones.length > 0) return;
      throw new AgentError(
        'provider.forbidden',
        'Hetzner shows no zone to this token; make the token in the project that has the zones',
      );
    },
  };
}

interface Act {
  readonly name: string;
  readonly verb: 'add_records' | 'remove_records';
  readonly values: readonly string[];
  readonly ttl?: number | undefined;
}
