import { signAcs3 } from '../../../providers/alidns-signature.ts';
import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Alibaba Cloud DNS, API 2015-01-09, as https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-adddomainrecord
 * and its siblings have it: the action in a header, parameters in the query, RPC answers, an identical record refused.
 */
export const accessKeyId = 'LTAIemulated';
export const accessKeySecret = 'emulated-alidns-secret';

export const alidnsFront: Front = {
  isAuthorized: isSigned,
  refusal(why) {
    if (why === 'credentials')
      return refuse(400, 'SignatureDoesNotMatch', 'The signature does not match what was computed.');
    if (why === 'rights')
      return refuse(403, 'Forbidden.RAM', 'User not authorized to operate on the resource.');
    if (why === 'haste')
      return refuse(400, 'Throttling.User', 'Request was denied due to user flow control.');
    return refuse(503, 'ServiceUnavailable', 'The request has failed due to a temporary failure.');
  },
  routes: (world) => [
    {
      method: 'POST',
      path: '/',
      writes: ({ headers }) => !/^Describe/.test(headers['x-acs-action'] ?? ''),
      run: (request) => act(world, request),
    },
  ],
};

/** A nonce is good once. */
const nonces = new Set<string>();

function isSigned({ method, path, query, headers, text }: Incoming): boolean {
  const now = Date.parse(headers['x-acs-date'] ?? '');
  const nonce = headers['x-acs-signature-nonce'] ?? '';
  if (!(Math.abs(Date.now() - now) < 900_000) || nonces.has(nonce)) return false;
  nonces.add(nonce);
  const url = new URL(`http://${headers.host}${path}?${query}`);
  const key = { accessKeyId, accessKeySecret };
  const signed = signAcs3({ method, url, body: text, headers }, key, { now, nonce });
  return headers.authorization === signed.authorization;
}

function act(world: World, { headers, query }: Incoming): Answer {
  const action = headers['x-acs-action'];
  if (headers['x-acs-version'] !== '2015-01-09') return refuse(400, 'InvalidVersion', 'No such version.');
  if (action === 'DescribeDomains') return listDomains(world, query);
  if (action === 'DeleteDomainRecord') return remove(world, Number(query.get('RecordId')));
  const zone = world.zones.find(({ name }) => name === query.get('DomainName'))?.name;
  if (zone === undefined)
    return refuse(400, 'InvalidDomainName.NoExist', 'The specified domain name does not exist.');
  if (action === 'DescribeDomainRecords')
    return listRecords(world, zone, { query, type: query.get('TypeKeyWord'), name: undefined });
  if (action === 'DescribeSubDomainRecords')
    return listRecords(world, zone, { query, type: query.get('Type'), name: query.get('SubDomain') ?? '' });
  return action === 'AddDomainRecord'
    ? add(world, zone, query)
    : refuse(404, 'InvalidAction', 'No such action.');
}

function listDomains(world: World, query: URLSearchParams): Answer {
  const page = paged(world.zones, query, Math.min(100, world.pageSize ?? 100));
  const Domain = page.items.map(({ name, id }) => ({ DomainId: id, DomainName: name, PunyCode: name }));
  return ok({ ...page.counts, Domains: { Domain } });
}

interface Wanted {
  readonly query: URLSearchParams;
  readonly type: string | null;
  readonly name: string | undefined;
}

function listRecords(world: World, zone: string, { query, type, name }: Wanted): Answer {
  const found = world
    .records(zone)
    .filter(
      (record) => (type === null || record.type === type) && (name === undefined || record.name === name),
    );
  const page = paged(found, query, 500);
  return ok({ ...page.counts, DomainRecords: { Record: page.items.map((record) => shown(record, zone)) } });
}

function add(world: World, zone: string, query: URLSearchParams): Answer {
  const [rr, value, ttl] = [query.get('RR') ?? '', query.get('Value') ?? '', Number(query.get('TTL'))];
  const name = rr === '@' ? zone : `${rr}.${zone}`;
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined || query.get('Type') !== 'TXT')
    return refuse(400, 'DomainRecordConflict', problem ?? 'not TXT');
  const isThere = world.records(zone).some((one) => one.name === name && one.value === value);
  if (isThere) return refuse(400, 'DomainRecordDuplicate', 'The DNS record already exists.');
  return ok({ RecordId: String(world.addRecord(zone, { name, type: 'TXT', ttl, value }).id) });
}

function remove(world: World, id: number): Answer {
  return world.zones.some(({ name }) => world.removeRecord(name, id))
    ? ok({ RecordId: String(id) })
    : refuse(400, 'DomainRecordNotBelongToUser', 'The domain record does not belong to this user.');
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const RR = name === zone ? '@' : name.slice(0, -zone.length - 1);
  return { RecordId: String(id), RR, Type: type, Line: 'default', Value: value, TTL: ttl, Status: 'ENABLE' };
}

function paged<Item>(items: readonly Item[], query: URLSearchParams, most: number) {
  const size = Math.min(Number(query.get('PageSize') ?? 20), most);
  const number = Number(query.get('PageNumber') ?? 1);
  return {
    items: items.slice((number - 1) * size, number * size),
    counts: { TotalCount: items.length, PageNumber: number, PageSize: size },
  };
}

function ok(content: object): Answer {
  return { status: 200, json: { RequestId: 'emulated', ...content } };
}

function refuse(status: number, Code: string, Message: string): Answer {
  return { status, json: { RequestId: 'emulated', HostId: 'alidns.aliyuncs.com', Code, Message } };
}
