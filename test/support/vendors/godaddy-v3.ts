import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * The newer API of GoDaddy (v3), as its OpenAPI document has it (operations listDNSRecords, createDNSRecord,
 * deleteDNSRecord of https://developer.godaddy.com/en/docs/references/rest/domains/v3/create-dns-record; it comes with
 * https://github.com/godaddy/cli as rust/domains-client/openapi/domains.oas3.json): names relative to the zone, `@` at the
 * apex; values without quotes; opaque ids; pages of at most 100; `items` that may be null; a record is known by name, type
 * and data together.
 */
export const token = 'gd_pat_emulated';

const records = '/v3/domains/zones/:zone/dns-records';

export const godaddyV3Front: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'UNAUTHORIZED', 'Authentication credentials are missing.');
    if (why === 'rights') return refuse(403, 'FORBIDDEN', 'Authenticated identity is not authorized.');
    if (why === 'haste') return refuse(429, 'TOO_MANY_REQUESTS', 'Too many requests.');
    return refuse(503, 'SERVICE_UNAVAILABLE', 'Service temporarily unavailable.');
  },
  routes: (world) => [
    {
      method: 'GET',
      path: '/v3/domains/domain-names',
      run: () => ({ status: 200, json: { items: world.zones.map(({ name }) => ({ domain: name })) } }),
    },
    {
      method: 'GET',
      path: records,
      run: (request) => inZone(world, request, (zone) => list(world, zone, request)),
    },
    {
      method: 'POST',
      path: records,
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'DELETE',
      path: `${records}/:id`,
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, numberIn(request.params.id ?? ''))
            ? { status: 204, text: '' }
            : refuse(404, 'NOT_FOUND', 'The requested resource was not found.'),
        ),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined
    ? refuse(404, 'NOT_FOUND', 'The requested resource was not found.')
    : run(zone.name);
}

function list(world: World, zone: string, { query, path }: Incoming): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  const size = Number(query.get('pageSize') ?? 25);
  const page = Number(query.get('page') ?? 1);
  if (size > 100 || page < 1) return refuse(400, 'INVALID_VALUE', 'pageSize must be between 1 and 100');
  const found = world
    .records(zone)
    .map((record) => shown(record, zone))
    .filter((record) => (name === null || record.name === name) && (type === null || record.type === type));
  const items = found.slice((page - 1) * size, page * size);
  const isLast = page * size >= found.length;
  const links = [
    { rel: 'self', href: `${path}?page=${page}&pageSize=${size}` },
    ...(isLast ? [] : [{ rel: 'next', href: `${path}?page=${page + 1}&pageSize=${size}` }]),
  ];
  return { status: 200, json: { items: items.length === 0 ? null : items, links } };
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly data: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, name: relative, data, ttl }: Posted): Answer {
  const name = relative === '@' ? zone : `${relative}.${zone}`;
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(422, 'INVALID_BODY', problem ?? type);
  if (world.records(zone).some((one) => one.type === 'TXT' && one.name === name && one.value === data))
    return refuse(422, 'DUPLICATE_RECORD', 'Another record with the same attributes already exists');
  const record = world.addRecord(zone, { name, type: 'TXT', ttl, value: data });
  return { status: 201, json: shown(record, zone) };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const relative = name === zone ? '@' : name.slice(0, -zone.length - 1);
  // Opaque, and not safe in a path as it stands.
  return { recordId: `A[${id}]/k9=`, name: relative, type, data: value, ttl };
}

function numberIn(recordId: string): number {
  return Number(/^A\[(\d+)\]\/k9=$/.exec(recordId)?.[1]);
}

function refuse(status: number, name: string, message: string): Answer {
  return { status, json: { name, correlationId: '9f1c2e7a-4b3d-4e8f-a1c2-3d4e5f6a7b8c', message } };
}
