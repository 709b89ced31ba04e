import { domainToUnicode } from 'node:url';
import { signTc3 } from '../../../providers/tencent-signature.ts';
import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * DNSPod of Tencent Cloud, API 3.0, as https://www.tencentcloud.com/document/api/1157/49041 (CreateRecord),
 * https://www.tencentcloud.com/document/api/1157/51290 (DescribeRecordList) and their siblings have it: the action in a
 * header, all answers with status 200, names relative to the domain, an identical record refused.
 */
export const secretId = 'AKIDemulated';
export const secretKey = 'emulated-tencent-secret-key';

export const tencentFront: Front = {
  isAuthorized: isSigned,
  refusal(why) {
    if (why === 'credentials')
      return refuse('AuthFailure.SignatureFailure', 'The provided credentials could not be validated.');
    if (why === 'rights') return refuse('UnauthorizedOperation', 'The CAM policy does not allow this.');
    if (why === 'haste')
      return refuse('RequestLimitExceeded', 'Your request exceeds the limit 20 per second.');
    return refuse('InternalError', 'An internal error has occurred. Please retry.');
  },
  routes: (world) => [
    {
      method: 'POST',
      path: '/',
      writes: ({ headers }) => !/^Describe/.test(headers['x-tc-action'] ?? ''),
      run: (request) => act(world, request),
    },
  ],
};

function isSigned({ method, path, headers, text }: Incoming): boolean {
  const now = Number(headers['x-tc-timestamp']) * 1000;
  if (!(Math.abs(Date.now() - now) < 300_000)) return false;
  const url = new URL(`http://${headers.host}${path}`);
  const key = { secretId, secretKey, service: 'dnspod' };
  return headers.authorization === signTc3({ method, url, body: text, headers }, key, now).authorization;
}

function act(world: World, { headers, json }: Incoming): Answer {
  if (headers['x-tc-version'] !== '2021-03-23') return refuse('NoSuchVersion', 'No such version.');
  const action = headers['x-tc-action'];
  if (action === 'DescribeDomainList') return listDomains(world, json);
  const zone = world.zones.find(({ name }) => name === json.Domain)?.name;
  if (zone === undefined)
    return refuse('InvalidParameterValue.DomainNotExists', 'The domain does not exist.');
  if (action === 'DescribeRecordList') return listRecords(world, zone, json);
  if (action === 'CreateRecord') return add(world, zone, json);
  if (action !== 'DeleteRecord') return refuse('InvalidAction', 'The API does not exist.');
  return world.removeRecord(zone, json.RecordId)
    ? ok({})
    : refuse('InvalidParameter.RecordIdInvalid', 'The record number is wrong.');
}

interface Slice {
  readonly Offset?: number;
  readonly Limit?: number;
}

function listDomains(world: World, { Offset = 0, Limit = 20 }: Slice): Answer {
  const page = world.zones.slice(Offset, Offset + Math.min(Limit, world.pageSize ?? 3000));
  return ok({
    DomainCountInfo: { DomainTotal: world.zones.length, AllTotal: world.zones.length },
    DomainList: page.map(({ name, number }) => ({
      DomainId: number,
      Name: domainToUnicode(name),
      Punycode: name,
      Status: 'ENABLE',
    })),
  });
}

interface Search extends Slice {
  readonly Subdomain?: string;
  readonly RecordType?: string;
}

function listRecords(world: World, zone: string, search: Search): Answer {
  const { Subdomain, RecordType, Offset = 0, Limit = 100 } = search;
  const found = world
    .records(zone)
    .filter(({ type }) => RecordType === undefined || type === RecordType)
    .map((record) => shown(record, zone))
    .filter(({ Name }) => Subdomain === undefined || Name === Subdomain);
  if (found.length === 0) return refuse('ResourceNotFound.NoDataOfRecord', 'The record list is empty.');
  const page = found.slice(Offset, Offset + Math.min(Limit, world.pageSize ?? 3000));
  return ok({
    RecordCountInfo: { SubdomainCount: found.length, ListCount: page.length, TotalCount: found.length },
    RecordList: page,
  });
}

interface Posted {
  readonly SubDomain: string;
  readonly RecordType: string;
  readonly RecordLine: string;
  readonly Value: string;
  readonly TTL: number;
}

function add(world: World, zone: string, { SubDomain, RecordType, RecordLine, Value, TTL }: Posted): Answer {
  const name = SubDomain === '@' ? zone : `${SubDomain}.${zone}`;
  if (RecordLine !== '默认') return refuse('InvalidParameter.RecordLineInvalid', 'The record line is wrong.');
  const problem = world.problem(zone, { name, ttl: TTL });
  if (problem !== undefined || RecordType !== 'TXT')
    return refuse('InvalidParameter.SubdomainInvalid', problem ?? RecordType);
  const isThere = world.records(zone).some((one) => one.name === name && one.value === Value);
  if (isThere) return refuse('InvalidParameter.DomainRecordExist', 'The record already exists.');
  return ok({ RecordId: world.addRecord(zone, { name, type: 'TXT', ttl: TTL, value: Value }).id });
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const relative = name === zone ? '@' : name.slice(0, -zone.length - 1);
  return { RecordId: id, Name: relative, Type: type, Line: '默认', Value: value, TTL: ttl, Status: 'ENABLE' };
}

function ok(content: object): Answer {
  return { status: 200, json: { Response: { ...content, RequestId: 'emulated' } } };
}

function refuse(Code: string, Message: string): Answer {
  return ok({ Error: { Code, Message } });
}
