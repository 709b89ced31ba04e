import { z } from 'zod';
import type { ErrorCode } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { quoteTxt, unquoteTxt } from '../src/plugin/quoting.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, longestZone, relativeName } from '../src/plugin/zones.ts';
import { byKeys, byToken, type OvhAuth } from './ovh-auth.ts';

const ttl = { min: 60, preferred: 60 };

const regions = {
  eu: { api: 'https://eu.api.ovh.com/1.0', token: 'https://www.ovh.com/auth/oauth2/token' },
  ca: { api: 'https://ca.api.ovh.com/1.0', token: 'https://ca.ovh.com/auth/oauth2/token' },
  us: { api: 'https://api.us.ovhcloud.com/1.0', token: 'https://us.ovhcloud.com/auth/oauth2/token' },
} as const;

const options = z
  .strictObject({
    region: z.enum(['eu', 'ca', 'us']).default('eu').describe('Where the account is.'),
    applicationKey: z.string().min(1).optional().describe('Application key (AK).'),
    applicationSecret: secretText().optional().describe('Application secret (AS).'),
    consumerKey: secretText().optional().describe('Consumer key (CK) with the rules below.'),
    clientId: z.string().min(1).optional().describe('Client id of an OAuth 2 service account.'),
    clientSecret: secretText().optional().describe('Client secret of that service account.'),
    ttl: ttlOption(ttl),
    baseUrl: z.url().optional().describe('Another URL of the API.'),
    tokenUrl: z.url().optional().describe('Another URL for OAuth 2 tokens.'),
  })
  .refine(({ applicationKey, applicationSecret, consumerKey, clientId, clientSecret }) => {
    const keys = [applicationKey, applicationSecret, consumerKey].filter((one) => one !== undefined);
    const client = [clientId, clientSecret].filter((one) => one !== undefined);
    return (keys.length === 3 && client.length === 0) || (keys.length === 0 && client.length === 2);
  }, 'give applicationKey, applicationSecret and consumerKey, or clientId and clientSecret');

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'zone',
  batch: { maxChanges: 50, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 5, burst: 60, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 15_000, timeoutMs: 900_000 },
};

export const ovh = defineDnsProvider<Options>({
  name: 'ovh',
  title: 'OVHcloud',
  docs: 'https://eu.api.ovh.com/console/?section=%2Fdomain&branch=v1',
  credentials: 'https://api.ovh.com/createToken/',
  options,
  traits,
  leastPrivilege: [
    'Rules of the consumer key:',
    '  GET    /domain/zone',
    '  GET    /domain/zone/example.com/record',
    '  GET    /domain/zone/example.com/record/*',
    '  POST   /domain/zone/example.com/record',
    '  DELETE /domain/zone/example.com/record/*',
    '  POST   /domain/zone/example.com/refresh',
    'A service account: an IAM policy for the zone with the actions',
    '  dnsZone:apiovh:get, dnsZone:apiovh:record/get, dnsZone:apiovh:record/create,',
    '  dnsZone:apiovh:record/delete, dnsZone:apiovh:refresh',
  ].join('\n'),
  notes: [
    'Changes go into force by one refresh of the zone after each batch.',
    "Keys sign by this machine's clock; when OVHcloud says that a signature is wrong or late, it is asked for its own. How it says so is not documented.",
    "Records of a whole zone are read 100 at once, by a header that OVHcloud's own panel uses but its documentation does not show.",
    'Its limits of requests are not documented; we make about five a second.',
  ],
  create,
});

const zones = z.array(z.string());
const ids = z.array(z.number());
const record = z.object({
  id: z.number(),
  subDomain: z.string().nullish(),
  target: z.string(),
  ttl: z.number(),
});
const records = z.array(z.object({ value: record.nullish() }));
const created = z.object({ id: z.number() });

/** Records in one answer. */
const together = 100;
/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;

function create(config: Options, context: PluginContext): DnsProvider {
  const baseUrl = config.baseUrl ?? regions[config.region].api;
  let wasLate = false;
  const api = createVendorApi(
    {
      vendor: 'OVHcloud',
      baseUrl,
      ...createAuth(config, { baseUrl, wasLate: () => wasLate }, context),
      fault(answer) {
        const found = faultOf(answer);
        wasLate ||= found?.isTime === true;
        return found;
      },
    },
    context,
  );

  async function readTxt(zone: ZoneRef, name: string | undefined, signal: AbortSignal) {
    const doing = `to list the TXT records of ${zone.name}`;
    const subDomain = name === undefined ? undefined : relativeName(name, zone.name, '');
    const query = { fieldType: 'TXT', subDomain };
    const found = await api.read(ids, { doing, path: recordsOf(zone), query, zone: zone.name }, signal);
    const read: HeldRecord[] = [];
    for (let start = 0; start < found.length; start += together) {
      const path = `${recordsOf(zone)}/${found.slice(start, start + together).join(',')}`;
      const batch = await api.read(records, { doing, path, headers: { 'x-ovh-batch': ',' } }, signal);
      // Without a value: it was removed a moment ago.
      read.push(...batch.flatMap(({ value }) => (value ? [toHeld(zone, value)] : [])));
    }
    return read;
  }

  const calls = createRecords(
    {
      list: listEachName(readTxt, mostNames),
      async create(zone, { name, value, ttl: seconds }, signal) {
        const json = {
          fieldType: 'TXT',
          subDomain: relativeName(name, zone.name, ''),
          target: quoteTxt(value, 10),
          ttl: seconds,
        };
        const request = { doing: `to add a record at ${name}`, path: recordsOf(zone), json, zone: zone.name };
        return String((await api.read(created, request, signal)).id);
      },
      async remove(zone, { name, handle }, signal) {
        const path = `${recordsOf(zone)}/${encodeURIComponent(handle)}`;
        const doing = `to remove a record at ${name}`;
        await api.send({ doing, method: 'DELETE', path, accept: [404] }, signal);
      },
      async commit({ name: zone }, signal) {
        const path = `/domain/zone/${zone}/refresh`;
        await api.send({ doing: `to refresh the zone ${zone}`, method: 'POST', path, zone }, signal);
      },
    },
    traits,
  );

  const listZones = (signal: AbortSignal) =>
    api.read(zones, { doing: 'to list zones', path: '/domain/zone' }, signal);

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    async findZone(name, signal) {
      const all = await listZones(signal);
      return longestZone(
        name,
        all.map((zone) => ({ name: zone })),
      );
    },
    async check(signal) {
      await listZones(signal);
    },
  };
}

function createAuth(
  { region, applicationKey, applicationSecret, consumerKey, clientId, clientSecret, tokenUrl }: Options,
  signing: { readonly baseUrl: string; readonly wasLate: () => boolean },
  context: PluginContext,
): OvhAuth | undefined {
  if (clientId !== undefined && clientSecret !== undefined)
    return byToken({ clientId, clientSecret, tokenUrl: tokenUrl ?? regions[region].token }, context);
  if (applicationKey === undefined || applicationSecret === undefined || consumerKey === undefined)
    return undefined;
  return byKeys({ applicationKey, applicationSecret, consumerKey }, signing, context);
}

function recordsOf({ name }: ZoneRef): string {
  return `/domain/zone/${name}/record`;
}

function toHeld(zone: ZoneRef, { id, subDomain, target, ttl: seconds }: z.infer<typeof record>): HeldRecord {
  const value = target.startsWith('"') ? unquoteTxt(target, 10) : target;
  return { name: absoluteName(subDomain ?? '', zone.name), value, ttl: seconds, handle: String(id) };
}

const failure = z.object({ errorCode: z.string(), message: z.string().default('') });

const codes: Readonly<Record<string, ErrorCode>> = {
  INVALID_SIGNATURE: 'provider.auth',
  INVALID_CREDENTIAL: 'provider.auth',
  NOT_CREDENTIAL: 'provider.auth',
  INVALID_KEY: 'provider.auth',
  NOT_GRANTED_CALL: 'provider.forbidden',
};

/** What a wrong clock comes back as: not documented. */
const isTime = /^(?:INVALID_SIGNATURE|\w*TIME\w*)$/;

function faultOf({ body }: VendorAnswer): (VendorFault & { readonly isTime: boolean }) | undefined {
  const error = failure.safeParse(body).data;
  if (error === undefined) return undefined;
  const { errorCode, message } = error;
  const late = isTime.test(errorCode);
  const code = codes[errorCode] ?? (late ? 'provider.auth' : undefined);
  return { code, words: `${message} [${errorCode}]`, isTime: late };
}
