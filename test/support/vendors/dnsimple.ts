import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * DNSimple API v2, as https://developer.dnsimple.com/v2/zones/records/ and https://developer.dnsimple.com/v2/identity/
 * have it: paths below the account, names relative, TXT contents in quotes when read.
 */
export const token = 'emulated-dnsimple-token';

export const dnsimpleFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'Authentication failed');
    if (why === 'rights') return refuse(403, 'Permission Denied. Required Scope: zones:*:write');
    if (why === 'haste') return refuse(429, 'quota exceeded');
    return refuse(500, 'Internal Server Error');
  },
  routes: (world) => [
    { method: 'GET', path: '/whoami', run: () => ok({ user: null, account: { id: 1010 } }) },
    {
      method: 'GET',
      path: '/1010/zones',
      run: ({ query }) =>
        page(
          world.zones.map(({ name, number }) => ({ id: number, name })),
          query,
          world,
        ),
    },
    {
      method: 'GET',
      path: '/1010/zones/:zone',
      run: (request) => inZone(world, request, (zone) => ok({ name: zone, account_id: 1010 })),
    },
    {
      method: 'GET',
      path: '/1010/zones/:zone/records',
      run: (request) => inZone(world, request, (zone) => listRecords(world, zone, request)),
    },
    {
      method: 'POST',
      path: '/1010/zones/:zone/records',
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'DELETE',
      path: '/1010/zones/:zone/records/:id',
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, Number(request.params.id))
            ? { status: 204, text: '' }
            : refuse(404, `Record \`${request.params.id}\` not found`),
        ),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? refuse(404, `Zone \`${params.zone}\` not found`) : run(zone.name);
}

function listRecords(world: World, zone: string, { query }: Incoming): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  const found = world.records(zone).map((record) => shown(record, zone));
  const matching = found.filter(
    (one) => (name === null || one.name === name) && (type === null || one.type === type),
  );
  return page(matching, query, world);
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly content: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, name, content, ttl }: Posted): Answer {
  const whole = name === '' ? zone : `${name}.${zone}`;
  const problem = world.problem(zone, { name: whole, ttl });
  if (problem !== undefined || type !== 'TXT')
    return { status: 400, json: { message: 'Validation failed', errors: { name: [problem ?? type] } } };
  const value = readQuoted(content) ?? content;
  const record = world.addRecord(zone, { name: whole, type: 'TXT', ttl, value });
  return { status: 201, json: { data: shown(record, zone) } };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const relative = name === zone ? '' : name.slice(0, -zone.length - 1);
  return {
    id,
    zone_id: zone,
    name: relative,
    type,
    content: type === 'TXT' ? writeQuoted(value) : value,
    ttl,
  };
}

function page(items: readonly unknown[], query: URLSearchParams, { pageSize }: World): Answer {
  const size = Math.min(Number(query.get('per_page') ?? 30), pageSize ?? 100);
  const number = Number(query.get('page') ?? 1);
  const pagination = {
    current_page: number,
    per_page: size,
    total_entries: items.length,
    total_pages: Math.max(1, Math.ceil(items.length / size)),
  };
  return { status: 200, json: { data: items.slice((number - 1) * size, number * size), pagination } };
}

function ok(data: unknown): Answer {
  return { status: 200, json: { data } };
}

function refuse(status: number, message: string): Answer {
  return { status, json: { message } };
}
