import { z } from 'zod';
import { AgentError, type ErrorCode, isAgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import { secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText } from '../src/plugin/fields.ts';
import { createRecordBatches, type HeldRecord } from '../src/plugin/records.ts';
import { createSession } from '../src/plugin/session.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, findZoneByName, relativeName } from '../src/plugin/zones.ts';

const options = z.strictObject({
  customerNumber: z.string().regex(/^\d+$/, 'must be a number, in quotes').describe('Customer number.'),
  apiKey: secretText().describe('API key.'),
  apiPassword: secretText().describe('API password.'),
  baseUrl: baseUrlOption('https://ccp.netcup.net/run/webservice/servers/endpoint.php'),
});

type Options = z.infer<typeof options>;

const minute = 60_000;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'zone',
  // Taken or refused as a whole as far as is known; not documented.
  batch: { maxChanges: 100, atomic: true },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // 180 requests a minute; a call of ours lists and changes.
  rate: [{ bucket: 'requests', perSecond: 1, burst: 40, costOf: 'call' }],
  // Records have the TTL of their zone.
  ttl: { min: 1, preferred: 300 },
  propagation: { signal: 'authoritative', typicalMs: 10 * minute, timeoutMs: 30 * minute },
};

export const netcup = defineDnsProvider<Options>({
  name: 'netcup',
  title: 'netcup (CCP API)',
  docs: 'https://helpcenter.netcup.com/en/wiki/general/our-api/',
  credentials: 'https://www.customercontrolpanel.de/daten_aendern.php?sprung=api',
  options,
  traits,
  leastPrivilege:
    'A key opens all domains of the customer. Use one of its own for the agent, so that it can be taken back.',
  notes: [
    'Changes take 5 to 15 minutes until they are served.',
    'Records have no TTL of their own: they have that of their zone, which is 86400 unless it is changed in the panel.',
    'Only what changes is sent; other records of the zone are never written.',
    'Zones of the newer CloudDNS are not reachable by this API.',
    'That a request with several changes is taken or refused as a whole is not documented.',
    'netcup quotes values itself, and may change backslashes and single quotes in them; no challenge has any.',
  ],
  create,
});

const record = z.object({
  id: z.string(),
  hostname: z.string(),
  type: z.string(),
  priority: z.string().optional(),
  destination: z.string(),
});
/** netcup has no list of a zone without records, but an error: then there is no data. */
const listed = z.object({
  responsedata: z.union([z.object({ dnsrecords: z.array(record) }), z.literal('')]),
});
const login = z.object({ responsedata: z.object({ apisessionid: z.string().min(1) }) });

/** netcup ends a session 15 minutes after its last use. */
const sessionMs = 10 * minute;

interface Action {
  readonly action: string;
  readonly doing: string;
  readonly zone: string;
  readonly param?: object | undefined;
}

function create(config: Options, context: PluginContext): DnsProvider {
  const { clock } = context;
  const { apiKey, apiPassword, customerNumber } = config;
  const vendor = { vendor: 'netcup', baseUrl: config.baseUrl, secrets: [apiKey, apiPassword] };
  const door = createVendorApi({ ...vendor, fault: loginFault }, context);
  const api = createVendorApi({ ...vendor, fault }, context);
  const who = () => ({ customernumber: customerNumber, apikey: apiKey.reveal() });

  const session = createSession(async (signal) => {
    const json = { action: 'login', param: { ...who(), apipassword: apiPassword.reveal() } };
    const { responsedata } = await door.read(login, { doing: 'to log in', path: '?JSON', json }, signal);
    return { value: secret(responsedata.apisessionid), goodUntil: clock.now() + sessionMs };
  }, clock);

  /** The session is named in the body. When netcup does not know it any more, a new one is opened, once. */
  async function call<T>(form: z.ZodType<T>, asked: Action, signal: AbortSignal): Promise<T> {
    const { action, doing, zone, param } = asked;
    const begunAt = session.turn();
    const id = await session.get(signal);
    const json = { action, param: { ...who(), apisessionid: id.reveal(), domainname: zone, ...param } };
    try {
      return await api.read(form, { doing, path: '?JSON', json, zone, secrets: [id] }, signal);
    } catch (error) {
      if (!isAgentError(error, 'provider.auth')) throw error;
      if (session.drop(begunAt)) return call(form, asked, signal);
      // The login went well, so the credentials are right; clients report that netcup loses sessions at times.
      throw new AgentError('provider.unavailable', error.message, { cause: error });
    }
  }

  async function list({ name: zone }: ZoneRef, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the records of ${zone}`;
    const { responsedata } = await call(listed, { action: 'infoDnsRecords', doing, zone }, signal);
    return (responsedata === '' ? [] : responsedata.dnsrecords)
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({
        name: absoluteName(one.hostname, zone),
        value: one.destination,
        handle: one.id,
      }));
  }

  const calls = createRecordBatches({
    list: (zone, _names, signal) => list(zone, signal),
    async change({ name: zone }, { creates, removes }, signal) {
      const adding = creates.map(({ name, value }) => toRecord(zone, { name, value }));
      const leaving = removes.map(({ handle, ...one }) => ({
        id: handle,
        ...toRecord(zone, one),
        deleterecord: true,
      }));
      const param = { dnsrecordset: { dnsrecords: [...leaving, ...adding] } };
      const doing = `to change the records of ${zone}`;
      await call(z.unknown(), { action: 'updateDnsRecords', doing, zone, param }, signal);
      return [];
    },
  });

  return {
    ...calls,
    traits,
    findZone: (name, signal) =>
      findZoneByName(name, async (zone) => {
        const doing = `to show the zone ${zone}`;
        const shown = call(z.unknown(), { action: 'infoDnsZone', doing, zone }, signal);
        return shown.then(
          () => ({ name: zone }),
          (error: unknown) => {
            if (isAgentError(error, 'dns.zoneNotFound')) return undefined;
            throw error;
          },
        );
      }),
    async check(signal) {
      await session.get(signal);
    },
  };
}

function toRecord(zone: string, { name, value }: { readonly name: string; readonly value: string }) {
  return { hostname: relativeName(name, zone, '@'), type: 'TXT', priority: '0', destination: value };
}

const failure = z.object({
  status: z.literal('error'),
  statuscode: z.number(),
  shortmessage: z.string().default(''),
  longmessage: z.string().default(''),
});

/** All answers have status 200; haste is told as an error of validation. */
function fault({ body }: VendorAnswer): VendorFault | undefined {
  const error = failure.safeParse(body).data;
  if (error === undefined) return undefined;
  const { statuscode, shortmessage, longmessage } = error;
  const words = `${longmessage === '' ? shortmessage : longmessage} [${statuscode}]`;
  if (/contain any DNS records/i.test(words)) return undefined;
  if (/requests per minute|too many error messages/i.test(words))
    return { code: 'provider.throttled', words, retryAfterMs: minute };
  return { code: codeOf(statuscode, words), words };
}

function codeOf(statuscode: number, words: string): ErrorCode {
  if (statuscode === 4001) return 'provider.auth';
  // Also a name that cannot be a domain of a customer: one with more labels.
  if (/could not be found|not found|field domainname/i.test(words)) return 'dns.zoneNotFound';
  return statuscode >= 5000 ? 'provider.unavailable' : 'provider.invalid';
}

/** Nothing is asked in it but who it is. */
function loginFault(answer: VendorAnswer): VendorFault | undefined {
  const found = fault(answer);
  const isRefused = found?.code === 'provider.invalid' || found?.code === 'dns.zoneNotFound';
  return isRefused ? { ...found, code: 'provider.auth' } : found;
}
