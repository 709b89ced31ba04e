import { z } from 'zod';
import { AgentError, type ErrorCode } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { quotedForm } from '../src/plugin/quoting.ts';
import { listEachName } from '../src/plugin/records.ts';
import { createSession } from '../src/plugin/session.ts';
import { createSets, type TxtSet } from '../src/plugin/sets.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { findZoneByName } from '../src/plugin/zones.ts';
import { createTokenSource, isServiceAccountKey } from './google-token.ts';

const ttl = { min: 1, preferred: 60 };

const options = z.strictObject({
  serviceAccountKey: secretText()
    .refine((key) => isServiceAccountKey(key.reveal()), 'must be the JSON of a service account key')
    .optional()
    .describe(
      'Key of a service account, as JSON; absent: the service account of the machine, by its metadata server.',
    ),
  project: z
    .string()
    .min(1)
    .optional()
    .describe('Project that has the zones; absent: that of the service account.'),
  managedZone: z
    .string()
    .min(1)
    .optional()
    .describe('Use only this managed zone, by its name; needed where two public zones have one DNS name.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://dns.googleapis.com/dns/v1'),
  metadataUrl: baseUrlOption('http://metadata.google.internal/computeMetadata/v1').describe(
    'Another URL of the metadata server.',
  ),
});

type Options = z.infer<typeof options>;

/** What a change may hold in all its values, added and deleted ones. */
const maxCharacters = 90_000;

const traits: ProviderTraits = {
  model: 'rrset-cas',
  serialize: 'zone',
  batch: {
    maxChanges: 500,
    maxCost: maxCharacters,
    // A set that is changed counts twice, as deleted and as added.
    costOf: ({ value }) => 2 * quotedForm.write(value).length,
    atomic: true,
  },
  maxValuesPerName: 100,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 2, burst: 50, costOf: 'call' }],
  ttl,
  propagation: { signal: 'api', typicalMs: 20_000, timeoutMs: 300_000 },
};

export const google = defineDnsProvider<Options>({
  name: 'google',
  title: 'Google Cloud DNS',
  docs: 'https://cloud.google.com/dns/docs/reference/rest/v1',
  credentials: 'https://console.cloud.google.com/iam-admin/serviceaccounts',
  options,
  traits,
  leastPrivilege: [
    'A custom role on the project with',
    '  dns.managedZones.list  dns.managedZones.get  dns.resourceRecordSets.list  dns.resourceRecordSets.create',
    '  dns.resourceRecordSets.update  dns.resourceRecordSets.delete  dns.changes.create  dns.changes.get',
    'or, on the managed zone alone, roles/dns.admin beside roles/dns.reader on the project.',
  ].join('\n'),
  notes: [
    'A change deletes a set exactly as it was read and adds the new one in the same call: what somebody else changed meanwhile is never overwritten.',
    'A change is taken as live when Google reports it done.',
    'Private zones are never used.',
    'Workload identity federation is not spoken; on GKE the metadata server gives the tokens of the workload.',
    'The number of requests that a project may make could not be confirmed; 2 a second are made at most, 50 at once.',
  ],
  create,
});

const zone = z.object({ name: z.string(), dnsName: z.string(), visibility: z.string().optional() });
const zones = z.object({ managedZones: z.array(zone).optional(), nextPageToken: z.string().optional() });
const rrset = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number().optional(),
  rrdatas: z.array(z.string()).optional(),
});
const rrsets = z.object({ rrsets: z.array(rrset).optional(), nextPageToken: z.string().optional() });
const change = z.object({ id: z.string(), status: z.string() });

const mostNames = 5;
const pageSize = 1000;

function create(config: Options, context: PluginContext): DnsProvider {
  const source = createTokenSource(config, context);
  const session = createSession(source.open, context.clock);
  const api = createVendorApi(
    {
      vendor: 'Google Cloud DNS',
      baseUrl: config.baseUrl,
      auth: async (_, signal) => ({ authorization: `Bearer ${(await session.get(signal)).reveal()}` }),
      session,
      fault,
    },
    context,
  );

  async function pathOf(rest: string, signal: AbortSignal): Promise<string> {
    const project = config.project ?? (await source.project(signal));
    return `/projects/${encodeURIComponent(project)}/managedZones${rest}`;
  }

  async function listZones(dnsName: string | undefined, signal: AbortSignal) {
    const path = await pathOf('', signal);
    return readPages<z.infer<typeof zone>, string>('', async (pageToken) => {
      const query = { dnsName, pageToken: pageToken || undefined };
      const page = await api.read(zones, { doing: 'to list managed zones', path, query }, signal);
      return { items: page.managedZones ?? [], next: page.nextPageToken };
    });
  }

  async function findZone(candidate: string, signal: AbortSignal): Promise<ZoneRef | undefined> {
    const found = (await listZones(`${candidate}.`, signal)).filter(
      ({ name, visibility }) =>
        visibility !== 'private' && (config.managedZone === undefined || name === config.managedZone),
    );
    if (found.length > 1) {
      const names = found.map(({ name }) => name).join(', ');
      throw new AgentError(
        'dns.zoneNotFound',
        `Google Cloud DNS has ${found.length} public zones ${candidate} (${names}); set managedZone to the one that is delegated`,
      );
    }
    return found[0] === undefined ? undefined : { name: candidate, id: found[0].name };
  }

  async function readTxt(of: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<TxtSet[]> {
    const path = await pathOf(`/${of.id}/rrsets`, signal);
    const only = name === undefined ? {} : { name: `${name}.`, type: 'TXT' };
    const found = await readPages<z.infer<typeof rrset>, string>('', async (pageToken) => {
      const query = { ...only, maxResults: pageSize, pageToken: pageToken || undefined };
      const doing = `to list the records of ${of.name}`;
      const page = await api.read(rrsets, { doing, path, query, zone: of.name, maxBytes }, signal);
      return { items: page.rrsets ?? [], next: page.nextPageToken };
    });
    return found
      .filter(({ type, rrdatas }) => type === 'TXT' && rrdatas !== undefined)
      .map((set) => ({
        name: set.name.toLowerCase().replace(/\.$/, ''),
        ttl: set.ttl ?? 0,
        values: set.rrdatas ?? [],
      }));
  }

  const sets = createSets(
    {
      form: quotedForm,
      scope: 'zone',
      read: listEachName(readTxt, mostNames),
      async write(of, changes, signal) {
        const json = {
          deletions: changes.flatMap(({ before }) => (before === undefined ? [] : [toRrset(before)])),
          additions: changes.flatMap(({ after }) => (after === undefined ? [] : [toRrset(after)])),
        };
        const path = await pathOf(`/${of.id}/changes`, signal);
        const doing = `to change the records of ${of.name}`;
        const { id } = await api.read(change, { doing, path, json, zone: of.name }, signal);
        return `${of.id}/${id}`;
      },
    },
    traits,
  );

  return {
    ...sets,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) => findZoneByName(name, (candidate) => findZone(candidate, signal)),
    async live(ticket, signal) {
      const [zoneId, id] = ticket.split('/');
      const path = await pathOf(`/${zoneId}/changes/${id}`, signal);
      return (
        (await api.read(change, { doing: 'to tell the state of a change', path }, signal)).status === 'done'
      );
    },
    async check(signal) {
      if ((await listZones(undefined, signal)).length > 0) return;
      throw new AgentError(
        'provider.forbidden',
        'Google Cloud DNS shows no managed zone in this project; check "project"',
      );
    },
  };
}

const maxBytes = 8 * 1024 * 1024;

const failure = z.object({
  error: z.object({
    message: z.string(),
    errors: z.array(z.object({ reason: z.string() })).default([]),
  }),
});

/** Reasons that say more than the status, which may be 403 for haste as well. */
const reasons: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(?:rateLimitExceeded|userRateLimitExceeded|dailyLimitExceeded)$/, 'provider.throttled'],
  // Too much in one change: less at once may pass.
  [/^quotaExceeded$/, 'provider.invalid'],
];

function fault({ status, body }: VendorAnswer): VendorFault | undefined {
  const error = status < 400 ? undefined : failure.safeParse(body).data?.error;
  if (error === undefined) return undefined;
  const said = error.errors.map(({ reason }) => reason);
  // The batch names sets as they were read; 404 about one of them says that it is not so any more.
  const isChanged = status === 404 && /entity\.change\./.test(error.message);
  const known = reasons.find(([pattern]) => said.some((reason) => pattern.test(reason)))?.[1];
  return { code: isChanged ? 'provider.conflict' : known, words: [error.message, ...said].join('; ') };
}

function toRrset({ name, ttl: seconds, values }: TxtSet) {
  return { name: `${name}.`, type: 'TXT', ttl: seconds, rrdatas: values };
}
