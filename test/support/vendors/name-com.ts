import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Name.com Core API, as https://docs.name.com/docs/api-reference/dns/list-records has it (its OpenAPI document comes with
 * https://github.com/namedotcom/namecom-mcp as assets/namecom.api.yaml): hosts relative, at the apex null (the document allows
 * that) and taken as "" or "@", answers without quotes, `nextPage` where there is one, 204 for what was removed.
 */
export const username = 'somebody';
export const token = 'emulated-name-com-token';

const basic = `Basic ${Buffer.from(`${username}:${token}`).toString('base64')}`;

export const nameComFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === basic,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'Unauthenticated');
    if (why === 'rights') return refuse(403, 'Permission Denied');
    if (why === 'haste') return refuse(429, 'Too Many Requests');
    return refuse(500, 'Internal Server Error');
  },
  routes: (world) => [
    {
      method: 'GET',
      path: '/domains',
      run: () => ({ status: 200, json: { domains: world.zones.map(({ name }) => ({ domainName: name })) } }),
    },
    {
      method: 'GET',
      path: '/domains/:zone',
      run: (request) => inZone(world, request, (zone) => ({ status: 200, json: { domainName: zone } })),
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

const notFound = refuse(404, 'Not Found');

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? notFound : run(zone.name);
}

function listRecords(world: World, zone: string, { query }: Incoming): Answer {
  const size = Math.min(Number(query.get('perPage') ?? 500), world.pageSize ?? 1000);
  const page = Number(query.get('page') ?? 1);
  const all = world.records(zone).filter(({ type }) => type !== 'SOA');
  const records = all.slice((page - 1) * size, page * size).map((record) => shown(record, zone));
  const isLast = page * size >= all.length;
  return { status: 200, json: { records, ...(!isLast && { nextPage: page + 1, lastPage: page + 1 }) } };
}

interface Posted {
  readonly type: string;
  readonly host: string;
  readonly answer: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, host, answer, ttl }: Posted): Answer {
  const name = host === '' || host === '@' ? zone : `${host}.${zone}`;
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(400, 'Invalid Argument', problem ?? type);
  return { status: 201, json: shown(world.addRecord(zone, { name, type: 'TXT', ttl, value: answer }), zone) };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const host = name === zone ? null : name.slice(0, -zone.length - 1);
  return { id, domainName: zone, host, fqdn: `${name}.`, type, answer: value, ttl };
}

function refuse(status: number, message: string, details?: string): Answer {
  return { status, json: details === undefined ? { message } : { message, details } };
}
