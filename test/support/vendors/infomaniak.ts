import type { Answer, Front, Incoming } from './server.ts';
import { writeQuoted } from './text.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Infomaniak API v2, as https://developer.infomaniak.com/docs/api/get/2/zones/%7Bzone%7D/records has it: sources relative
 * (`.` at the apex), all answers in `result` and `data`, whether there is a zone at /zones/ZONE/exists, `object_not_found` for
 * what is not there. Texts are taken without quotes and shown in quotes, which is how clients in use find them:
 * https://github.com/acmesh-official/acme.sh/blob/master/dnsapi/dns_infomaniak.sh.
 */
export const token = 'emulated-infomaniak-token';

export const infomaniakFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'not_authorized', 'Authorization required');
    if (why === 'rights') return refuse(403, 'forbidden', 'Forbidden');
    if (why === 'haste') return refuse(429, 'too_many_requests', 'Too Many Attempts.');
    return refuse(500, 'an_error_has_occured', 'An error has occured');
  },
  routes: (world) => [
    { method: 'GET', path: '/profile', run: () => ok({ id: 1 }) },
    {
      method: 'GET',
      path: '/zones/:zone/exists',
      run: (request) => inZone(world, request, () => ok(true)),
    },
    {
      method: 'GET',
      path: '/zones/:zone/records',
      run: (request) =>
        inZone(world, request, (zone) => {
          const type = request.query.get('filter[types][]');
          const found = world.records(zone).filter((record) => type === null || record.type === type);
          return page(
            found.map((record) => shown(record, zone)),
            request,
            world,
          );
        }),
    },
    {
      method: 'POST',
      path: '/zones/:zone/records',
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'DELETE',
      path: '/zones/:zone/records/:id',
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, Number(request.params.id)) ? ok(true) : notFound,
        ),
    },
  ],
};

const notFound = refuse(404, 'object_not_found', 'Object not found');

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? notFound : run(zone.name);
}

interface Posted {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, source, target, ttl }: Posted): Answer {
  const name = source === '.' ? zone : `${source}.${zone}`;
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(422, 'validation_failed', problem ?? type);
  return {
    ...ok(shown(world.addRecord(zone, { name, type: 'TXT', ttl, value: target }), zone)),
    status: 201,
  };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const source = name === zone ? '.' : name.slice(0, -zone.length - 1);
  return { id, source, type, ttl, target: type === 'TXT' ? writeQuoted(value) : value, updated_at: 0 };
}

function page(items: readonly unknown[], { query }: Incoming, { pageSize }: World): Answer {
  if (pageSize === undefined) return ok(items);
  const number = Number(query.get('page') ?? 1);
  const data = items.slice((number - 1) * pageSize, number * pageSize);
  const pages = Math.max(1, Math.ceil(items.length / pageSize));
  return { status: 200, json: { result: 'success', data, page: number, pages, total: items.length } };
}

function ok(data: unknown): Answer {
  return { status: 200, json: { result: 'success', data } };
}

function refuse(status: number, code: string, description: string): Answer {
  return { status, json: { result: 'error', error: { code, description } } };
}
