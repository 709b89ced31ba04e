import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Scaleway Domains and DNS, as https://www.scaleway.com/en/developers/api/domains-and-dns/ has it: names relative, TXT data
 * in quotes, changes in one PATCH, zones as domain and subdomain, filtered by `dns_zones` (`dns_zone` is deprecated:
 * https://github.com/scaleway/scaleway-sdk-go/blob/master/api/domain/v2beta1/domain_sdk.go).
 */
export const secretKey = 'emulated-scaleway-secret-key';

interface Change {
  readonly add?: { readonly records: readonly Added[] };
  readonly delete?: { readonly id: string };
}

interface Added {
  readonly type: string;
  readonly name: string;
  readonly data: string;
  readonly ttl: number;
}

export const scalewayFront: Front = {
  isAuthorized: ({ headers }) => headers['x-auth-token'] === secretKey,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'denied_authentication', 'authentication is denied');
    if (why === 'rights') return refuse(403, 'permissions_denied', 'insufficient permissions');
    if (why === 'haste') return refuse(429, 'too_many_requests', 'too many requests');
    return refuse(500, 'internal', 'internal server error');
  },
  routes: (world) => [
    { method: 'GET', path: '/dns-zones', run: ({ query }) => listZones(world, query) },
    {
      method: 'GET',
      path: '/dns-zones/:zone/records',
      run: (request) => inZone(world, request, (zone) => listRecords(world, zone, request.query)),
    },
    {
      method: 'PATCH',
      path: '/dns-zones/:zone/records',
      run: (request) => inZone(world, request, (zone) => change(world, zone, request.json.changes)),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? refuse(404, 'not_found', 'subdomain not found') : run(zone.name);
}

/** A zone below another of the account is its subdomain. */
function listZones(world: World, query: URLSearchParams): Answer {
  const wanted = query.getAll('dns_zones');
  const names = world.zones
    .map(({ name }) => name)
    .filter((name) => wanted.length === 0 || wanted.includes(name));
  const dnsZones = names.map((name) => {
    const parent = world.zones.find((other) => name.endsWith(`.${other.name}`))?.name;
    return parent === undefined
      ? { domain: name, subdomain: '' }
      : { domain: parent, subdomain: name.slice(0, -parent.length - 1) };
  });
  return { status: 200, json: { dns_zones: dnsZones, total_count: dnsZones.length } };
}

function listRecords(world: World, zone: string, query: URLSearchParams): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  const size = Math.min(Number(query.get('page_size') ?? 20), world.pageSize ?? 100);
  const page = Number(query.get('page') ?? 1);
  const found = world
    .records(zone)
    .map((record) => shown(record, zone))
    .filter((record) => (name === null || record.name === name) && (type === null || record.type === type));
  return {
    status: 200,
    json: { records: found.slice((page - 1) * size, page * size), total_count: found.length },
  };
}

/** All or none. */
function change(world: World, zone: string, changes: readonly Change[]): Answer {
  const ids = changes.flatMap((one) => (one.delete === undefined ? [] : [numberOf(one.delete.id)]));
  const held = world.records(zone);
  if (ids.some((id) => !held.some((record) => record.id === id)))
    return refuse(404, 'not_found', 'record not found');
  const added = changes.flatMap((one) => one.add?.records ?? []);
  for (const { type, name, data, ttl } of added) {
    const problem = world.problem(zone, { name: nameOf(name, zone), ttl });
    if (problem !== undefined || type !== 'TXT' || readQuoted(data) === undefined)
      return refuse(400, 'invalid_arguments', `invalid argument(s): ${problem ?? data}`);
  }
  for (const id of ids) world.removeRecord(zone, id);
  for (const { name, data, ttl } of added)
    world.addRecord(zone, { name: nameOf(name, zone), type: 'TXT', ttl, value: readQuoted(data) ?? '' });
  return { status: 200, json: { records: [] } };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const relative = name === zone ? '' : name.slice(0, -zone.length - 1);
  return { id: idOf(id), name: relative, type, ttl, data: type === 'TXT' ? writeQuoted(value) : value };
}

function nameOf(relative: string, zone: string): string {
  return relative === '' ? zone : `${relative}.${zone}`;
}

function idOf(id: number): string {
  return `5ee0e5c5-51a2-4ed7-9d1b-${String(id).padStart(12, '0')}`;
}

function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}

function refuse(status: number, type: string, message: string): Answer {
  return { status, json: { type, message } };
}
