import { z } from 'zod';
import type { ErrorCode } from '../src/core/errors.ts';
import type { DnsProvider, ProviderTraits, ZoneRef } from '../src/core/provider.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { defineDnsProvider } from '../src/plugin/define.ts';
import { baseUrlOption, secretText, ttlOption } from '../src/plugin/fields.ts';
import { readPages } from '../src/plugin/pages.ts';
import { createRecords, type HeldRecord, listEachName } from '../src/plugin/records.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';
import { absoluteName, longestZone, relativeName } from '../src/plugin/zones.ts';
import { signTc3 } from './tencent-signature.ts';

const ttl = { min: 600, preferred: 600 };
const defaultLine = '默认';

const options = z.strictObject({
  secretId: z.string().min(1).describe('SecretId of the API key (AKID…).'),
  secretKey: secretText().describe('SecretKey of that API key.'),
  recordLine: z.string().min(1).optional().describe('Line of the records made; absent: the default one.'),
  ttl: ttlOption({ ...ttl, min: 1 }),
  baseUrl: baseUrlOption('https://dnspod.tencentcloudapi.com'),
});

type Options = z.infer<typeof options>;

const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 20, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  // Adding has 500 requests a second, listing 100, the others 20.
  rate: [{ bucket: 'requests', perSecond: 10, burst: 20, costOf: 'change' }],
  ttl,
  propagation: { signal: 'authoritative', typicalMs: 10_000, timeoutMs: 600_000 },
};

export const tencent = defineDnsProvider<Options>({
  name: 'tencent',
  title: 'Tencent Cloud DNSPod',
  docs: 'https://www.tencentcloud.com/document/api/1157/49041',
  credentials: 'https://console.cloud.tencent.com/cam/capi',
  options,
  traits,
  leastPrivilege: JSON.stringify(
    {
      version: '2.0',
      statement: [
        {
          effect: 'allow',
          action: [
            'dnspod:DescribeDomainList',
            'dnspod:DescribeRecordList',
            'dnspod:CreateRecord',
            'dnspod:DeleteRecord',
          ],
          resource: '*',
        },
      ],
    },
    undefined,
    2,
  ),
  notes: [
    'The keys are those of Tencent Cloud (API 3.0), not the tokens of the old DNSPod API.',
    'The least TTL depends on the plan of the domain: 600 on the free one. A domain that allows less is told by "ttl".',
    `The default line is called "${defaultLine}"; where an international account calls it "Default", set recordLine so.`,
    'Its lists may lack a record made in the last 30 seconds.',
    'How many records one name may have depends on the plan (LimitExceeded.SubdomainRollLimit); whether TXT records count could not be confirmed.',
    'The codes for a record that is there already and for one that is gone are those of the documentation; they could not be tried.',
  ],
  create,
});

const record = z.object({ RecordId: z.number(), Name: z.string(), Value: z.string(), TTL: z.number() });
/** Absent where there is none: the answer is an error then. */
const records = z.object({
  Response: z.object({
    RecordList: z.array(record).default([]),
    RecordCountInfo: z.object({ TotalCount: z.number() }).default({ TotalCount: 0 }),
  }),
});
const domains = z.object({
  Response: z.object({
    DomainList: z.array(z.object({ Name: z.string(), Punycode: z.string().nullish() })).default([]),
    DomainCountInfo: z.object({ AllTotal: z.number() }).default({ AllTotal: 0 }),
  }),
});
/** Without an id: it was there already. */
const created = z.object({ Response: z.object({ RecordId: z.number().optional() }) });

/** Beyond, reading the zone costs less than asking for each name. */
const mostNames = 3;
const pageSize = 3000;

interface Action {
  readonly action: string;
  readonly doing: string;
  readonly json: object;
}

function create(config: Options, context: PluginContext): DnsProvider {
  const { secretId, secretKey } = config;
  const api = createVendorApi(
    {
      vendor: 'Tencent Cloud',
      baseUrl: config.baseUrl,
      auth: (request) =>
        signTc3(request, { secretId, secretKey: secretKey.reveal(), service: 'dnspod' }, context.clock.now()),
      secrets: [secretKey],
      fault,
      remedies: { 'provider.auth': 'check secretId, secretKey and the clock of this machine' },
    },
    context,
  );

  function call<T>(form: z.ZodType<T>, { action, doing, json }: Action, signal: AbortSignal): Promise<T> {
    const headers = { 'x-tc-action': action, 'x-tc-version': '2021-03-23' };
    return api.read(form, { doing, path: '/', json, headers, maxBytes: 4 * 1024 * 1024 }, signal);
  }

  async function read(zone: ZoneRef, name: string | undefined, signal: AbortSignal): Promise<HeldRecord[]> {
    const doing = `to list the TXT records of ${zone.name}`;
    const wanted = name === undefined ? {} : { Subdomain: relativeName(name, zone.name, '@') };
    const found = await readPages(0, async (offset) => {
      const json = { Domain: zone.name, RecordType: 'TXT', ...wanted, Offset: offset, Limit: pageSize };
      const { Response } = await call(records, { action: 'DescribeRecordList', doing, json }, signal);
      const end = offset + Response.RecordList.length;
      return {
        items: Response.RecordList,
        next: end > offset && end < Response.RecordCountInfo.TotalCount ? end : undefined,
      };
    });
    return found.map((one) => ({
      name: absoluteName(one.Name, zone.name),
      value: one.Value,
      ttl: one.TTL,
      handle: String(one.RecordId),
    }));
  }

  function listDomains(signal: AbortSignal) {
    return readPages(0, async (offset) => {
      const json = { Offset: offset, Limit: pageSize };
      const { Response } = await call(
        domains,
        { action: 'DescribeDomainList', doing: 'to list domains', json },
        signal,
      );
      const end = offset + Response.DomainList.length;
      const more = end > offset && end < Response.DomainCountInfo.AllTotal;
      return { items: Response.DomainList, next: more ? end : undefined };
    });
  }

  const calls = createRecords(
    {
      refusesCopies: true,
      list: listEachName(read, mostNames),
      async create({ name: zone }, { name, value, ttl: seconds }, signal) {
        const json = {
          Domain: zone,
          SubDomain: relativeName(name, zone, '@'),
          RecordType: 'TXT',
          RecordLine: config.recordLine ?? defaultLine,
          Value: value,
          TTL: seconds,
        };
        const doing = `to add a record at ${name}`;
        const { Response } = await call(created, { action: 'CreateRecord', doing, json }, signal);
        return Response.RecordId === undefined ? undefined : String(Response.RecordId);
      },
      async remove({ name: zone }, { name, handle }, signal) {
        const json = { Domain: zone, RecordId: Number(handle) };
        const doing = `to remove a record at ${name}`;
        await call(z.unknown(), { action: 'DeleteRecord', doing, json }, signal);
      },
    },
    traits,
  );

  return {
    ...calls,
    traits: { ...traits, ttl: { min: Math.min(ttl.min, config.ttl), preferred: config.ttl } },
    async findZone(name, signal) {
      const all = await listDomains(signal);
      return longestZone(
        name,
        // Its name is as people write it, with letters of their language.
        all.map(({ Name, Punycode }) => ({ name: (Punycode || Name).toLowerCase() })),
      );
    },
    async check(signal) {
      const json = { Offset: 0, Limit: 1 };
      await call(domains, { action: 'DescribeDomainList', doing: 'to list domains', json }, signal);
    },
  };
}

const failure = z.object({
  Response: z.object({ Error: z.object({ Code: z.string(), Message: z.string() }) }),
});

/** Errors that say that it is as it should be: nothing listed, the record there, the record gone. */
const asWanted =
  /^(?:ResourceNotFound\.NoDataOf(?:Record|Domain)|InvalidParameter\.(?:DomainRecordExist|RecordIdInvalid))$/;

/** https://github.com/TencentCloud/tencentcloud-sdk-go/blob/master/tencentcloud/dnspod/v20210323/errors.go */
const codes: readonly (readonly [RegExp, ErrorCode])[] = [
  [
    /^UnauthorizedOperation|^AuthFailure\.UnauthorizedOperation|^OperationDenied|RequestIpLimited$/,
    'provider.forbidden',
  ],
  [/^AuthFailure/, 'provider.auth'],
  [/RequestLimitExceeded|TooFrequent/, 'provider.throttled'],
  [
    /^InvalidParameterValue\.DomainNotExists$|\.(?:DomainIdInvalid|DomainInvalid|NotDomainOwner)$/,
    'dns.zoneNotFound',
  ],
  [
    /^InternalError|^ResourceUnavailable|^FailedOperation$|\.(?:UnknowError|OperateFailed)$/,
    'provider.unavailable',
  ],
];

/** All of its answers have status 200; the code in the body tells. */
function fault({ body }: VendorAnswer): VendorFault | undefined {
  const error = failure.safeParse(body).data?.Response.Error;
  if (error === undefined || asWanted.test(error.Code)) return undefined;
  const code = codes.find(([pattern]) => pattern.test(error.Code))?.[1] ?? 'provider.invalid';
  return { code, words: `${error.Message} [${error.Code}]` };
}
