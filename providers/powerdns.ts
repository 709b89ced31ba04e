import { z } from 'zod';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { quoteTxt, unquoteTxt } from '../src/plugin/quoting.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSets, type SetChange, type TxtForm, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { findZoneByName } from '../src/plugin/zones.ts';

const ttl = { min: 1, preferred: 60 };

const options = z.strictObject({
  baseUrl: z
    .url()
    .describe('Address of its API, such as http://127.0.0.1:8081.')
    .overwrite((text) => text.replace(/\/+$/, '')),
  apiKey: secretText().describe('The api-key of its configuration.'),
  server: z.string().min(1).default('localhost').describe('Server id below /api/v1/servers/.'),
  notify: z
    .boolean()
    .default(false)
    .describe('Tell the secondaries at once after each change; for zones of kind Primary (Master).'),
  ttl: ttlOption(ttl),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'rrset-replace',
  serialize: 'zone',
  batch: { maxChanges: 500, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 1000, timeoutMs: 300_000 },
};

export const powerdns = defineDnsProvider<Options>({
  name: 'powerdns',
  title: 'PowerDNS Authoritative Server (HTTP API)',
  docs: 'https://doc.powerdns.com/authoritative/http-api/index.html',
  options,
  traits,
  leastPrivilege: [
    'pdns.conf:  api=yes',
    '            api-key=A_LONG_RANDOM_TEXT',
    '            webserver-address=127.0.0.1',
    '            webserver-allow-from=127.0.0.1',
  ].join('\n'),
  notes: [
    'The API key opens all zones of the server. For rights to single zones use the provider rfc2136 with a TSIG key of each.',
    'A set of records is read, changed and written: agents do that in turns, other programs that write the same name do not.',
    'A record that is switched off (disabled) at the name of a challenge may be lost: PowerDNS does not show it when it is asked for one name.',
  ],
  create,
});

const zones = z.array(z.object({ id: z.string(), name: z.string() }));
const contents = z.object({ content: z.string(), disabled: z.boolean().default(false) });
const zoneContents = z.object({
  rrsets: z.array(
    z.object({ name: z.string(), type: z.string(), ttl: z.number(), records: z.array(contents) }),
  ),
});

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 20;
const zoneBytes = 32 * 1024 * 1024;

/** Stands before a record that is there but switched off: it is nobody's value, and is written back as it was. */
const off = 'disabled ';

const form: TxtForm = {
  write: (value) => quoteTxt(value, 10),
  read: (text) => (text.startsWith(off) ? text : unquoteTxt(text, 10)),
};

function create(config: Options, context: PluginContext): DnsProvider {
  const server = `/api/v1/servers/${encodeURIComponent(config.server)}`;
  const api = createVendorApi(
    {
      vendor: 'PowerDNS',
      baseUrl: config.baseUrl,
      auth: () => ({ 'x-api-key': config.apiKey.reveal() }),
      secrets: [config.apiKey],
      fault,
      remedies: { 'provider.auth': 'check "apiKey" against api-key in pdns.conf' },
    },
    context,
  );

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const query = name === undefined ? {} : { rrset_name: `${name}.`, rrset_type: 'TXT' };
    const request = { doing, path: pathOf(zone), query, zone: zone.name, maxBytes: zoneBytes };
    const { rrsets } = await api.read(zoneContents, request, signal);
    return rrsets.filter(({ type }) => type === 'TXT').map(toSet);
  }

  async function write(zone: ZoneRef, changes: readonly SetChange[], signal: AbortSignal) {
    const doing = `to change the records of ${zone.name}`;
    const json = { rrsets: changes.map(toPatch) };
    await api.send({ doing, method: 'PATCH', path: pathOf(zone), json, zone: zone.name }, signal);
    if (config.notify) {
      const about = `to notify the secondaries of ${zone.name}`;
      await api.send({ doing: about, method: 'PUT', path: `${pathOf(zone)}/notify` }, signal);
    }
    return undefined;
  }

  function pathOf({ id, name }: ZoneRef): string {
    return `${server}/zones/${encodeURIComponent(id ?? `${name}.`)}`;
  }

  return {
    ...createSets(
      {
        form,
        scope: 'zone',
        read: listEachName(read, mostNames),
        write,
      },
      traits,
    ),
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const query = { zone: `${candidate}.` };
        const found = await api.read(
          zones,
          { doing: 'to list zones', path: `${server}/zones`, query },
          signal,
        );
        const zone = found.find((one) => one.name.toLowerCase() === `${candidate}.`);
        return zone && { name: candidate, id: zone.id };
      }),
    async check(signal) {
      await api.send({ doing: 'to show itself', path: server }, signal);
    },
  };
}

function toSet({ name, ttl: seconds, records }: z.infer<typeof zoneContents>['rrsets'][number]): TxtSet {
  const values = records.map(({ content, disabled }) => (disabled ? `${off}${content}` : content));
  return { name: name.toLowerCase().replace(/\.$/, ''), ttl: seconds, values };
}

function toPatch({ name, after }: SetChange) {
  if (after === undefined) return { name: `${name}.`, type: 'TXT', changetype: 'DELETE' };
  const records = after.values.map((text) =>
    text.startsWith(off)
      ? { content: text.slice(off.length), disabled: true }
      : { content: text, disabled: false },
  );
  return { name: `${name}.`, type: 'TXT', ttl: after.ttl, changetype: 'REPLACE', records };
}

/** Older ones say of a zone that is not there that the request is wrong. */
function fault({ body }: VendorAnswer): VendorFault | undefined {
  const said = z.object({ error: z.string() }).safeParse(body).data?.error ?? '';
  return /^Could not find domain/.test(said) ? { code: 'dns.zoneNotFound' } : undefined;
}
