import type { RrSet } from '../zone-store.ts';
import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { World } from './world.ts';

/**
 * Gandi LiveDNS, as https://api.gandi.net/docs/livedns/ has it: sets below the domain and the relative name, values in
 * quotes, 404 for a set that is not there. A list has sets of all types: that it can be filtered could not be confirmed.
 */
export const token = 'emulated-gandi-token';

const path = '/domains/:zone/records/:name/TXT';

export const gandiFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'HTTPUnauthorized', 'Invalid access token');
    if (why === 'rights') return refuse(403, 'HTTPForbidden', 'Access was denied to this resource.');
    if (why === 'haste') return refuse(429, 'HTTPTooManyRequests', 'Too many requests');
    return refuse(500, 'HTTPInternalServerError', 'Internal server error');
  },
  routes: (world) => [
    { method: 'GET', path: '/domains', run: () => ok(world.zones.map(({ name }) => ({ fqdn: name }))) },
    {
      method: 'GET',
      path: '/domains/:zone',
      run: (request) => inZone(world, request, (zone) => ok({ fqdn: zone, automatic_snapshots: false })),
    },
    {
      method: 'GET',
      path: '/domains/:zone/records',
      run: (request) => inZone(world, request, (zone) => list(world, zone, request)),
    },
    {
      method: 'GET',
      path,
      run: (request) =>
        inZone(world, request, (zone) => {
          const set = setOf(world, zone, request);
          return set === undefined ? notFound : ok(shown(set, zone));
        }),
    },
    { method: 'PUT', path, run: (request) => inZone(world, request, (zone) => put(world, zone, request)) },
    {
      method: 'DELETE',
      path,
      run: (request) =>
        inZone(world, request, (zone) => {
          const set = setOf(world, zone, request);
          if (set === undefined) return notFound;
          world.writeTxt(zone, { ...set, values: [] });
          return { status: 204, text: '' };
        }),
    },
  ],
};

const notFound = refuse(404, 'HTTPNotFound', "Can't find the DNS record");

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? refuse(404, 'HTTPNotFound', 'The domain is not found') : run(zone.name);
}

function list(world: World, zone: string, { query }: Incoming): Answer {
  const size = Math.min(Number(query.get('per_page') ?? 500), world.pageSize ?? 500);
  const page = Number(query.get('page') ?? 1);
  const sets = world.store.held(zone).slice((page - 1) * size, page * size);
  return ok(sets.map((set) => shown(set, zone)));
}

function put(world: World, zone: string, { params, json }: Incoming): Answer {
  const name = nameOf(params.name ?? '', zone);
  const values: readonly string[] = json.rrset_values;
  const problem = world.problem(zone, { name, ttl: json.rrset_ttl });
  const odd = values.find((text) => readQuoted(text) === undefined);
  if (problem !== undefined || odd !== undefined)
    return refuse(400, 'HTTPBadRequest', problem ?? `rrset_values: ${odd}: Invalid TXT`);
  world.writeTxt(zone, { name, ttl: json.rrset_ttl, values: values.map((text) => readQuoted(text) ?? '') });
  return { status: 201, json: { message: 'DNS Record Created' } };
}

function setOf(world: World, zone: string, { params }: Incoming): RrSet | undefined {
  return world.txt(zone).find(({ name }) => name === nameOf(params.name ?? '', zone));
}

function nameOf(relative: string, zone: string): string {
  return relative === '@' ? zone : `${relative}.${zone}`;
}

function shown({ name, type, ttl, values }: RrSet, zone: string) {
  return {
    rrset_name: name === zone ? '@' : name.slice(0, -zone.length - 1),
    rrset_type: type,
    rrset_ttl: ttl,
    rrset_values: type === 'TXT' ? values.map(writeQuoted) : values,
  };
}

function ok(json: unknown): Answer {
  return { status: 200, json };
}

function refuse(status: number, cause: string, message: string): Answer {
  return { status, json: { code: status, cause, message, object: cause } };
}
