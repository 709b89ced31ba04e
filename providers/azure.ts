import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSession } from '../src/plugin/session.ts';
import { createSets, type SetChange, type TxtForm, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';
import { createOpenToken } from './azure-token.ts';

const ttl = { min: 1, preferred: 60 };

const options = z
  .strictObject({
    subscriptionId: z.string().min(1).describe('Subscription that has the zones.'),
    resourceGroup: z.string().min(1).describe('Resource group that has the zones.'),
    tenantId: z
      .string()
      .min(1)
      .optional()
      .describe('Directory of the application; absent: the managed identity of the machine.'),
    clientId: z
      .string()
      .min(1)
      .optional()
      .describe('The application, or the user-assigned identity of the machine.'),
    clientSecret: secretText().optional().describe('Secret of the application.'),
    federatedTokenFile: z
      .string()
      .min(1)
      .optional()
      .describe('File with the token of a workload, in place of a secret; it is read anew each time.'),
    ttl: ttlOption(ttl),
    baseUrl: baseUrlOption('https://management.azure.com'),
    loginUrl: baseUrlOption('https://login.microsoftonline.com').describe(
      'Another URL of Microsoft Entra: other in the clouds of China and the US government.',
    ),
    metadataUrl: baseUrlOption('http://169.254.169.254/metadata').describe(
      'Another URL of the instance metadata service.',
    ),
  })
  .refine(
    ({ tenantId, clientId, clientSecret, federatedTokenFile }) =>
      tenantId === undefined
        ? clientSecret === undefined && federatedTokenFile === undefined
        : clientId !== undefined && (clientSecret === undefined) !== (federatedTokenFile === undefined),
    'give tenantId and clientId with either clientSecret or federatedTokenFile, or none of them but clientId',
  );

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'rrset-cas',
  serialize: 'name',
  batch: { maxChanges: 50, atomic: false },
  maxValuesPerName: 20,
  removeIsExact: true,
  // Of a subscription: 200 writes at once and 10 more each second; each write of ours comes after a read.
  rate: [{ bucket: 'writes', perSecond: 5, burst: 100, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 300_000 },
};

export const azure = defineDnsProvider<Options>({
  name: 'azure',
  title: 'Azure DNS',
  docs: 'https://learn.microsoft.com/en-us/rest/api/dns/',
  credentials: 'https://portal.azure.com/#view/Microsoft_AAD_RegisteredApps',
  options,
  traits,
  leastPrivilege: JSON.stringify(
    {
      Name: 'ACME TXT records',
      IsCustom: true,
      Actions: [
        'Microsoft.Network/dnsZones/read',
        'Microsoft.Network/dnsZones/TXT/read',
        'Microsoft.Network/dnsZones/TXT/write',
        'Microsoft.Network/dnsZones/TXT/delete',
      ],
      AssignableScopes: [
        '/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/dnsZones/example.com',
      ],
    },
    undefined,
    2,
  ),
  notes: [
    'A set is written only if it is as it was read (its etag); its metadata stays.',
    'A name holds at most 20 values.',
    'Client certificates are not taken; private DNS zones are never used.',
    'How many requests a zone takes could not be confirmed; the limits of the subscription are kept.',
  ],
  create,
});

const zoneAnswer = z.object({ id: z.string(), name: z.string() });
const txtSet = z.object({
  name: z.string(),
  etag: z.string(),
  properties: z.object({
    TTL: z.number(),
    metadata: z.record(z.string(), z.string()).nullish(),
    TXTRecords: z.array(z.object({ value: z.array(z.string()) })).nullish(),
  }),
});
const txtSets = z.object({ value: z.array(txtSet), nextLink: z.string().nullish() });
const failure = z.object({ code: z.string(), message: z.string().default('') });

const apiVersion = '2018-05-01';
/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 10;

/** A value is a list of character strings, each of at most 255. */
const form: TxtForm = {
  write: (value) => JSON.stringify(value.match(/[\s\S]{1,255}/g) ?? ['']),
  read: (text) => z.array(z.string()).parse(JSON.parse(text)).join(''),
};

function create(config: Options, context: PluginContext): DnsProvider {
  const session = createSession(createOpenToken(config, context), context.clock);
  const api = createVendorApi(
    {
      vendor: 'Azure DNS',
      baseUrl: config.baseUrl,
      auth: async (_, signal) => ({ authorization: `Bearer ${(await session.get(signal)).reveal()}` }),
      session,
      fault,
      remedies: {
        'provider.forbidden':
          'give this identity the role of the documentation on the zone, or on its resource group',
      },
    },
    context,
  );
  const query = { 'api-version': apiVersion };
  const group = [config.subscriptionId, config.resourceGroup].map(encodeURIComponent);
  const zonesPath = `/subscriptions/${group[0]}/resourceGroups/${group[1]}/providers/Microsoft.Network/dnsZones`;

  async function showZone(candidate: string, signal: AbortSignal): Promise<ZoneRef | undefined> {
    const doing = `to show the zone ${candidate}`;
    const request = { doing, path: `${zonesPath}/${candidate}`, query, accept: [404] };
    const answer = await api.send(request, signal);
    return answer.status === 404
      ? undefined
      : { name: candidate, id: api.parse(zoneAnswer, answer, doing).id };
  }

  function pathOf(zone: ZoneRef, name: string): string {
    return `${zonesPath}/${zone.name}/TXT/${encodeURIComponent(relativeName(name, zone.name, '@'))}`;
  }

  async function readName(zone: ZoneRef, name: string, signal: AbortSignal): Promise<TxtSet[]> {
    const doing = `to show the TXT records of ${name}`;
    const answer = await api.send(
      { doing, path: pathOf(zone, name), query, zone: zone.name, accept: [404] },
      signal,
    );
    if (answer.status !== 404) return [toSet(zone, api.parse(txtSet, answer, doing))];
    if (failureIn(answer.body)?.code === 'NotFound') return [];
    throw new AgentError(
      'dns.zoneNotFound',
      `Azure DNS has no zone ${zone.name} in resource group ${config.resourceGroup}`,
    );
  }

  async function readZone(zone: ZoneRef, signal: AbortSignal): Promise<TxtSet[]> {
    const first = `${zonesPath}/${zone.name}/TXT?api-version=${apiVersion}`;
    const found = await readPages(first, async (path) => {
      const doing = `to list the TXT records of ${zone.name}`;
      const page = await api.read(txtSets, { doing, path, zone: zone.name }, signal);
      return { items: page.value, next: page.nextLink ?? undefined };
    });
    return found.map((set) => toSet(zone, set));
  }

  async function write(zone: ZoneRef, { name, before, after }: SetChange, signal: AbortSignal) {
    const headers: Record<string, string> =
      before === undefined ? { 'if-none-match': '*' } : { 'if-match': before.version ?? '' };
    const request = {
      doing: `to change the TXT records of ${name}`,
      path: pathOf(zone, name),
      query,
      headers,
      zone: zone.name,
    };
    if (after === undefined) {
      await api.send({ ...request, method: 'DELETE' }, signal);
      return;
    }
    const TXTRecords = after.values.map((text) => ({ value: JSON.parse(text) }));
    const json = { properties: { TTL: after.ttl, metadata: before?.rest, TXTRecords } };
    await api.send({ ...request, method: 'PUT', json }, signal);
  }

  const sets = createSets(
    {
      form,
      scope: 'name',
      read: listEachName(
        (zone, name, signal) => (name === undefined ? readZone(zone, signal) : readName(zone, name, signal)),
        mostNames,
      ),
      write,
    },
    traits,
  );

  return {
    ...sets,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) => findZoneByName(name, (candidate) => showZone(candidate, signal)),
    async check(signal) {
      await session.get(signal);
    },
  };
}

function toSet(zone: ZoneRef, { name, etag, properties }: z.infer<typeof txtSet>): TxtSet {
  return {
    name: absoluteName(name, zone.name),
    ttl: properties.TTL,
    values: (properties.TXTRecords ?? []).map(({ value }) => JSON.stringify(value)),
    version: etag,
    rest: properties.metadata ?? undefined,
  };
}

/** In its documentation an error stands below "error"; of records Azure DNS itself answers without that. */
function failureIn(body: unknown): z.infer<typeof failure> | undefined {
  return failure.safeParse(body).data ?? z.object({ error: failure }).safeParse(body).data?.error;
}

/** What is asked for under a condition is gone: somebody else removed it. */
function fault({ status, body }: VendorAnswer): VendorFault | undefined {
  const error = failureIn(body);
  if (error === undefined || status < 400) return undefined;
  return {
    ...(status === 404 && error.code === 'NotFound' && { code: 'provider.conflict' }),
    words: `${error.message} [${error.code}]`,
  };
}
