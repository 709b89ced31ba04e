import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ErrorCode, isAgentError } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption } from '../src/plugin/fields.ts';
import { nextNumber, readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, longestZone, relativeName } from '../src/plugin/zones.ts';
import { signAcs3 } from './alidns-signature.ts';

const ttl = { min: 600, preferred: 600 };

const options = z.strictObject({
  accessKeyId: z.string().min(1).describe('AccessKey ID of a RAM user with the policy below (LTAI…).'),
  accessKeySecret: secretText().describe('AccessKey secret of that key.'),
  ttl: ttlOption({ ...ttl, min: 1 }),
  baseUrl: baseUrlOption('https://alidns.aliyuncs.com'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Calls have limits of their own, of some tens a second.
  rate: [{ bucket: 'requests', perSecond: 10, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 600_000 },
};

export const alidns = defineDnsProvider<Options>({
  name: 'alidns',
  title: 'Alibaba Cloud DNS',
  docs: 'https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-adddomainrecord',
  credentials: 'https://ram.console.aliyun.com/users',
  options,
  traits,
  leastPrivilege: JSON.stringify(
    {
      Version: '1',
      Statement: [
        { Effect: 'Allow', Action: 'alidns:DescribeDomains', Resource: '*' },
        {
          Effect: 'Allow',
          Action: [
            'alidns:DescribeDomainRecords',
            'alidns:DescribeSubDomainRecords',
            'alidns:AddDomainRecord',
            'alidns:DeleteDomainRecord',
          ],
          Resource: 'acs:alidns:*:*:domain/example.com',
        },
      ],
    },
    undefined,
    2,
  ),
  notes: [
    'The least TTL depends on the edition of the domain: 600 on the free one. A domain that allows less is told by "ttl".',
    'Its limits of requests differ by call and are not all documented; we make about ten a second.',
  ],
  create,
});

const record = z.object({
  RecordId: z.string(),
  RR: z.string(),
  Type: z.string(),
  Value: z.string(),
  TTL: z.number(),
});
const records = z.object({ TotalCount: z.number(), DomainRecords: z.object({ Record: z.array(record) }) });
const domain = z.object({ DomainName: z.string(), PunyCode: z.string().optional() });
const domains = z.object({ TotalCount: z.number(), Domains: z.object({ Domain: z.array(domain) }) });
const created = z.object({ RecordId: z.string() });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
const recordsPage = 500;
const domainsPage = 100;

interface Action {
  readonly action: string;
  readonly doing: string;
  readonly query: Readonly<Record<string, string | number | undefined>>;
}

function create(config: Options, context: PluginContext): DnsProvider {
  const { accessKeyId, accessKeySecret } = config;
  const api = createVendorApi(
    {
      vendor: 'Alibaba Cloud',
      baseUrl: config.baseUrl,
      auth: (request) =>
        signAcs3(
          request,
          { accessKeyId, accessKeySecret: accessKeySecret.reveal() },
          { now: context.clock.now(), nonce: randomUUID() },
        ),
      secrets: [accessKeySecret],
      fault,
      remedies: { 'provider.auth': 'check accessKeyId, accessKeySecret and the clock of this machine' },
    },
    context,
  );

  function call<T>(form: z.ZodType<T>, { action, doing, query }: Action, signal: AbortSignal): Promise<T> {
    const headers = { 'x-acs-action': action, 'x-acs-version': '2015-01-09' };
    return api.read(form, { doing, method: 'POST', path: '/', query, headers }, signal);
  }

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const wanted =
      name === undefined
        ? { action: 'DescribeDomainRecords', by: { TypeKeyWord: 'TXT' } }
        : { action: 'DescribeSubDomainRecords', by: { SubDomain: name, Type: 'TXT' } };
    const found = await readPages(1, async (page) => {
      const query = { DomainName: zone.name, ...wanted.by, PageNumber: page, PageSize: recordsPage };
      const { TotalCount, DomainRecords } = await call(
        records,
        { action: wanted.action, doing, query },
        signal,
      );
      const next = nextNumber(page, { pages: Math.ceil(TotalCount / recordsPage) });
      return { items: DomainRecords.Record, next };
    });
    return found
      .filter(({ Type }) => Type === 'TXT')
      .map((one) => ({
        name: absoluteName(one.RR, zone.name),
        value: one.Value,
        ttl: one.TTL,
        handle: one.RecordId,
      }));
  }

  function listDomains(pageSize: number, signal: AbortSignal) {
    return readPages(1, async (page) => {
      const query = { PageNumber: page, PageSize: pageSize };
      const { TotalCount, Domains } = await call(
        domains,
        { action: 'DescribeDomains', doing: 'to list domains', query },
        signal,
      );
      return { items: Domains.Domain, next: nextNumber(page, { pages: Math.ceil(TotalCount / pageSize) }) };
    });
  }

  const calls = createRecords(
    {
      refusesCopies: true,
      list: listEachName(read, mostNames),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const query = {
          DomainName: zone,
          RR: relativeName(name, zone, '@'),
          Type: 'TXT',
          Value: value,
          TTL: seconds,
        };
        const doing = `to add a record at ${name}`;
        const added = await unlessSo(call(created, { action: 'AddDomainRecord', doing, query }, signal));
        return added?.RecordId;
      },
      async remove(_zone, { name, handle }, signal) {
        const doing = `to remove a record at ${name}`;
        const action = { action: 'DeleteDomainRecord', doing, query: { RecordId: handle } };
        await unlessSo(call(z.unknown(), action, signal));
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: { ...traits, ttl: { min: Math.min(ttl.min, config.ttl), preferred: config.ttl } },
    async findZone(name, signal) {
      const all = await listDomains(domainsPage, signal);
      return longestZone(
        name,
        all.map(({ DomainName, PunyCode }) => ({ name: PunyCode ?? DomainName })),
      );
    },
    async check(signal) {
      const query = { PageNumber: 1, PageSize: 1 };
      await call(domains, { action: 'DescribeDomains', doing: 'to list domains', query }, signal);
    },
  };
}

/** undefined: it is so already. */
async function unlessSo<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (isAgentError(error, 'provider.conflict')) return undefined;
    throw error;
  });
}

const failure = z.object({ Code: z.string(), Message: z.string().default('') });

const codes: readonly (readonly [RegExp, ErrorCode])[] = [
  // The record is there, or is gone.
  [
    /^(?:DomainRecordDuplicate|DomainRecordNotBelongToUser|InvalidRecordId\.NotFound|InvalidRR\.NoExist)$/,
    'provider.conflict',
  ],
  [/^(?:InvalidDomainName\.NoExist|IncorrectDomainUser|DomainNotExist)/, 'dns.zoneNotFound'],
  [/^(?:InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature|InvalidTimeStamp)/, 'provider.auth'],
  [/^(?:SignatureNonceUsed|InvalidSecurityToken|Forbidden\.AccessKey)/, 'provider.auth'],
  [/^(?:Forbidden|NoPermission)/, 'provider.forbidden'],
  [/^Throttling/, 'provider.throttled'],
  [/^(?:InternalError|ServiceUnavailable|UnKnownError|SystemError)/i, 'provider.unavailable'],
];

/** The code says more than the status, which most often is 400. */
function fault({ status, body }: VendorAnswer): VendorFault | undefined {
  const error = status < 300 ? undefined : failure.safeParse(body).data;
  if (error === undefined) return undefined;
  const code = codes.find(([pattern]) => pattern.test(error.Code))?.[1];
  return {
    code: code ?? (status < 500 ? 'provider.invalid' : undefined),
    words: `${error.Message} [${error.Code}]`,
  };
}
