import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * DigitalOcean API v2, as https://docs.digitalocean.com/reference/api/reference/domain-records/ has it: names relative
 * to the domain, but whole in the filter `name`; values without quotes; copies are taken.
 */
export const token = 'emulated-digitalocean-token';

export const digitaloceanFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'unauthorized', 'Unable to authenticate you');
    if (why === 'rights') return refuse(403, 'forbidden', 'You are not authorized to perform this operation');
    if (why === 'haste') return refuse(429, 'too_many_requests', 'API rate limit exceeded.');
    return refuse(500, 'server_error', 'Unexpected server-side error');
  },
  routes: (world) => [
    { method: 'GET', path: '/domains', run: (request) => listDomains(world, request) },
    {
      method: 'GET',
      path: '/domains/:zone',
      run: (request) =>
        inZone(world, request, (zone) => ({ status: 200, json: { domain: { name: zone, ttl: 1800 } } })),
    },
    {
      method: 'GET',
      path: '/domains/:zone/records',
      run: (request) => inZone(world, request, (zone) => listRecords(world, zone, request)),
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
          world.removeRecord(zone, Number(request.params.id)) ? { status: 204, text: '' } : notFound,
        ),
    },
  ],
};

const notFound = refuse(404, 'not_found', 'The resource you were accessing could not be found.');

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? notFound : run(zone.name);
}

function listDomains(world: World, request: Incoming): Answer {
  return page(
    'domains',
    world.zones.map(({ name }) => ({ name, ttl: 1800 })),
    { request, world },
  );
}

function listRecords(world: World, zone: string, request: Incoming): Answer {
  const [name, type] = [request.query.get('name'), request.query.get('type')];
  const found = world
    .records(zone)
    .filter((record) => (name === null || record.name === name) && (type === null || record.type === type));
  return page(
    'domain_records',
    found.map((record) => shown(record, zone)),
    { request, world },
  );
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly data: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, name, data, ttl }: Posted): Answer {
  const whole = name === '@' ? zone : `${name}.${zone}`;
  const problem = world.problem(zone, { name: whole, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(422, 'unprocessable_entity', problem ?? 'type');
  const record = world.addRecord(zone, { name: whole, type: 'TXT', ttl, value: data });
  return { status: 201, json: { domain_record: shown(record, zone) } };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  return { id, type, name: name === zone ? '@' : name.slice(0, -zone.length - 1), data: value, ttl };
}

function page(
  key: string,
  items: readonly unknown[],
  { request, world }: { request: Incoming; world: World },
): Answer {
  const { query, headers, path } = request;
  const size = Math.min(Number(query.get('per_page') ?? 20), world.pageSize ?? 200);
  const number = Number(query.get('page') ?? 1);
  const isLast = number * size >= items.length;
  const next = `http://${headers.host}${path}?page=${number + 1}`;
  return {
    status: 200,
    json: {
      [key]: items.slice((number - 1) * size, number * size),
      links: isLast ? {} : { pages: { next } },
      meta: { total: items.length },
    },
  };
}

function refuse(status: number, id: string, message: string): Answer {
  return { status, json: { id, message } };
}
