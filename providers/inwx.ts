import { z } from 'zod';
import { type ErrorCode, isAgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption, withTtl } from '../src/plugin/fields.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createSession } from '../src/plugin/session.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { findZoneByName } from '../src/plugin/zones.ts';
import { createInwxLogin } from './inwx-session.ts';
import { totpSecret } from './totp.ts';

const ttl = { min: 300, preferred: 300 };

const options = z.strictObject({
  username: z.string().min(1).describe('User name of the account, or of a sub-account.'),
  password: secretText().describe('Its password.'),
  sharedSecret: totpSecret()
    .optional()
    .describe('Where it has a second factor: the secret that the authenticator app was set up with.'),
  ttl: ttlOption(ttl),
  baseUrl: baseUrlOption('https://api.domrobot.com/jsonrpc'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [{ bucket: 'requests', perSecond: 2, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 60_000, timeoutMs: 900_000 },
};

export const inwx = defineDnsProvider<Options>({
  name: 'inwx',
  title: 'INWX',
  docs: 'https://www.inwx.com/en/help/apidoc/f/ch02s15.html',
  options,
  traits,
  leastPrivilege:
    'A sub-account with the role DNS alone (20004), and without a second factor or with one of its own.',
  notes: [
    'INWX takes no tokens: the agent logs in with the password and keeps the session.',
    'A code of the second factor is good once: agents that log in within the same 30 seconds wait for the next one.',
    'Its limits of requests and the life of a session are not documented; we make about two requests a second.',
    'Its test system is https://api.ote.domrobot.com/jsonrpc.',
  ],
  create,
});

/** Ids are texts since they are longer than 32 bits; INWX said so in November 2025. */
const id = z.coerce.string();
const record = z.object({
  id,
  name: z.string(),
  type: z.string(),
  content: z.string(),
  ttl: z.number(),
});
const info = z.object({ resData: z.object({ record: z.array(record).default([]) }) });
/** Without an id: the record was there already. */
const created = z.object({ resData: z.object({ id: id.optional() }).optional() });
const list = z.object({
  resData: z.object({ domains: z.array(z.object({ domain: z.string() })).default([]) }),
});

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;

interface Method {
  readonly method: string;
  readonly doing: string;
  readonly params: object;
  readonly zone?: string | undefined;
}

function create(config: Options, context: PluginContext): DnsProvider {
  const vendor = { vendor: 'INWX', baseUrl: config.baseUrl, fault };
  const session = createSession(createInwxLogin(config, vendor, context), context.clock);
  const api = createVendorApi(
    {
      ...vendor,
      auth: async (_, signal) => ({ cookie: (await session.get(signal)).reveal() }),
      session,
      secrets: [config.password],
    },
    context,
  );

  function call<T>(
    form: z.ZodType<T>,
    { method, doing, params, zone }: Method,
    signal: AbortSignal,
  ): Promise<T> {
    const json = { method, params };
    return api.read(form, { doing, path: '/', json, zone, maxBytes: 4 * 1024 * 1024 }, signal);
  }

  async function read(
    { name: zone }: ZoneRef,
    name: string | undefined,
    signal: AbortSignal,
  ): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone}`;
    const params = { domain: zone, type: 'TXT', ...(name !== undefined && { name }) };
    const { resData } = await call(info, { method: 'nameserver.info', doing, params, zone }, signal);
    return resData.record
      .filter(({ type }) => type === 'TXT')
      .map((one) => ({ name: one.name.toLowerCase(), value: one.content, ttl: one.ttl, handle: one.id }));
  }

  const calls = createRecords(
    {
      refusesCopies: true,
      list: listEachName(read, mostNames),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const params = { domain: zone, type: 'TXT', name, content: value, ttl: seconds };
        const doing = `to add a record at ${name}`;
        const method = 'nameserver.createRecord';
        return (await call(created, { method, doing, params, zone }, signal)).resData?.id;
      },
      async remove(_zone, { name, handle }, signal) {
        const doing = `to remove a record at ${name}`;
        const method = { method: 'nameserver.deleteRecord', doing, params: { id: handle } };
        await call(z.unknown(), method, signal).catch((error: unknown) => {
          if (!isAgentError(error, 'dns.zoneNotFound')) throw error;
        });
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: withTtl(traits, config.ttl),
    findZone: (name, signal) =>
      findZoneByName(name, async (candidate) => {
        const params = { domain: candidate };
        const method = { method: 'nameserver.list', doing: 'to list domains', params };
        const { resData } = await call(list, method, signal);
        return resData.domains.some(({ domain }) => domain === candidate) ? { name: candidate } : undefined;
      }),
    async check(signal) {
      const params = { pagelimit: 1 };
      await call(list, { method: 'nameserver.list', doing: 'to list domains', params }, signal);
    },
  };
}

const said = z.object({ code: z.number(), msg: z.string().default(''), reason: z.string().optional() });

/** The record exists: that is what was wanted. */
const objectExists = 2302;

const codes: Readonly<Record<number, ErrorCode>> = {
  // What a command before the login gets.
  2002: 'provider.auth',
  2200: 'provider.auth',
  2201: 'provider.forbidden',
  2303: 'dns.zoneNotFound',
  2400: 'provider.unavailable',
  2500: 'provider.unavailable',
  2501: 'provider.auth',
  2502: 'provider.throttled',
};

/** Codes of EPP (RFC 5730 §3) in answers of status 200. */
function fault({ status, body }: VendorAnswer): VendorFault | undefined {
  const answer = said.safeParse(body).data;
  if (answer === undefined || status >= 400) return undefined;
  const { code, msg, reason } = answer;
  if (code < 2000 || code === objectExists) return undefined;
  const words = `${[msg, reason].filter((part) => part !== undefined).join(': ')} [${code}]`;
  return { code: codes[code] ?? 'provider.invalid', words };
}
