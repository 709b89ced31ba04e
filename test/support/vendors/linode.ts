import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Linode API v4, as https://techdocs.akamai.com/linode-api/reference/get-domain-records and
 * https://techdocs.akamai.com/linode-api/reference/filtering-and-sorting have it: domains by number, names relative,
 * targets without quotes, filters as JSON in the header X-Filter.
 */
export const token = 'emulated-linode-token';

export const linodeFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'Invalid Token');
    if (why === 'rights') return refuse(403, 'Unauthorized');
    if (why === 'haste') return refuse(429, 'Too many requests');
    return refuse(500, 'Internal Server Error');
  },
  routes: (world) => [
    {
      method: 'GET',
      path: '/domains',
      run: (request) =>
        page(
          world.zones.map(({ name, number }) => ({ id: number, domain: name, type: 'master' })),
          request,
          world,
        ),
    },
    {
      method: 'GET',
      path: '/domains/:zone/records',
      run: (request) =>
        inZone(world, request, (zone) =>
          page(
            world.records(zone).map((record) => shown(record, zone)),
            request,
            world,
          ),
        ),
    },
    {
      method: 'POST',
      path: '/domains/:zone/records',
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'DELETE',
      path: '/domains/:zone/records/:id',
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, Number(request.params.id)) ? { status: 200, json: {} } : notFound,
        ),
    },
  ],
};

const notFound = refuse(404, 'Not found');

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ number }) => String(number) === params.zone);
  return zone === undefined ? notFound : run(zone.name);
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly target: string;
  readonly ttl_sec: number;
}

function add(world: World, zone: string, { type, name, target, ttl_sec: ttl }: Posted): Answer {
  const whole = name === '' ? zone : `${name}.${zone}`;
  const problem = world.problem(zone, { name: whole, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(400, problem ?? 'type', 'name');
  return {
    status: 200,
    json: shown(world.addRecord(zone, { name: whole, type: 'TXT', ttl, value: target }), zone),
  };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  return {
    id,
    type,
    name: name === zone ? '' : name.slice(0, -zone.length - 1),
    target: value,
    ttl_sec: ttl,
  };
}

/** Pages have 25 to 500 items; every field of the filter must be equal. */
function page(all: readonly object[], { query, headers }: Incoming, { pageSize }: World): Answer {
  const filter = Object.entries(JSON.parse(headers['x-filter'] ?? '{}'));
  const items = all.filter((item) => filter.every(([key, value]) => Reflect.get(item, key) === value));
  const size = Math.min(Number(query.get('page_size') ?? 100), pageSize ?? 500);
  const number = Number(query.get('page') ?? 1);
  const pages = Math.max(1, Math.ceil(items.length / size));
  const data = items.slice((number - 1) * size, number * size);
  return { status: 200, json: { data, page: number, pages, results: items.length } };
}

function refuse(status: number, reason: string, field?: string): Answer {
  return { status, json: { errors: [field === undefined ? { reason } : { reason, field }] } };
}
