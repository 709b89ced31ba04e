import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * The older API of GoDaddy (v1), as https://developer.godaddy.com/doc/endpoint/domains has it: records of one type and name are read, replaced
 * and removed as one; values without quotes; an empty list for a name that has none; `retryAfterSec` in the body.
 */
export const key = 'emulated-godaddy-key';
export const secret = 'emulated-godaddy-secret';

const path = '/v1/domains/:zone/records/TXT/:name';

export const godaddyFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `sso-key ${key}:${secret}`,
  refusal(why) {
    if (why === 'credentials')
      return refuse(401, 'UNABLE_TO_AUTHENTICATE', 'Unauthorized : Could not authenticate API key/secret');
    if (why === 'rights') return refuse(403, 'ACCESS_DENIED', 'Authenticated user is not allowed access');
    if (why === 'haste')
      return refuse(429, 'TOO_MANY_REQUESTS', 'Too many requests received', { retryAfterSec: 1 });
    return refuse(500, 'ERROR_INTERNAL', 'Internal Server Error');
  },
  routes: (world) => [
    {
      method: 'GET',
      path: '/v1/domains',
      run: () => ({ status: 200, json: world.zones.map(({ name }) => ({ domain: name, status: 'ACTIVE' })) }),
    },
    {
      method: 'GET',
      path: '/v1/domains/:zone',
      // A name that cannot be registered is no name of a domain at all.
      run: (request) =>
        request.params.zone?.startsWith('_') === true
          ? refuse(422, 'INVALID_DOMAIN', 'domain must match sld.tld')
          : inZone(world, request, (zone) => ({ status: 200, json: { domain: zone } })),
    },
    {
      method: 'GET',
      path: '/v1/domains/:zone/records/TXT',
      run: (request) => inZone(world, request, (zone) => list(world, zone, request.query)),
    },
    {
      method: 'GET',
      path,
      run: (request) =>
        inZone(world, request, (zone) => ({
          status: 200,
          json: shownOf(world, zone).filter(({ name }) => name === request.params.name),
        })),
    },
    { method: 'PUT', path, run: (request) => inZone(world, request, (zone) => put(world, zone, request)) },
    {
      method: 'DELETE',
      path,
      run: (request) =>
        inZone(world, request, (zone) => {
          const name = nameOf(request.params.name ?? '', zone);
          const set = world.txt(zone).find((one) => one.name === name);
          if (set === undefined) return refuse(404, 'NOT_FOUND', 'The requested resource is not found');
          world.writeTxt(zone, { ...set, values: [] });
          return { status: 204, text: '' };
        }),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined
    ? refuse(404, 'NOT_FOUND', 'The requested resource is not found')
    : run(zone.name);
}

function list(world: World, zone: string, query: URLSearchParams): Answer {
  const limit = Number(query.get('limit') ?? 100);
  const offset = Number(query.get('offset') ?? 0);
  return { status: 200, json: shownOf(world, zone).slice(offset, offset + limit) };
}

interface Put {
  readonly data: string;
  readonly ttl: number;
}

function put(world: World, zone: string, { params, json }: Incoming): Answer {
  const name = nameOf(params.name ?? '', zone);
  const given: readonly Put[] = json;
  const ttl = given[0]?.ttl ?? 0;
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined) return refuse(422, 'INVALID_BODY', problem);
  if (new Set(given.map(({ data }) => data)).size < given.length)
    return refuse(422, 'DUPLICATE_RECORD', 'Another record with the same attributes already exists');
  world.writeTxt(zone, { name, ttl, values: given.map(({ data }) => data) });
  return { status: 200, text: '' };
}

function shownOf(world: World, zone: string) {
  return world.txt(zone).flatMap(({ name, ttl, values }) =>
    values.map((data) => ({
      type: 'TXT',
      name: name === zone ? '@' : name.slice(0, -zone.length - 1),
      data,
      ttl,
    })),
  );
}

function nameOf(relative: string, zone: string): string {
  return relative === '@' ? zone : `${relative}.${zone}`;
}

function refuse(status: number, code: string, message: string, more: object = {}): Answer {
  return { status, json: { code, message, ...more } };
}
