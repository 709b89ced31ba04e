import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { World } from './world.ts';

/**
 * Hetzner Cloud API, as https://docs.hetzner.cloud/reference/cloud has it: zones, zone RRSets with their actions
 * add_records and remove_records, actions that end a while after they began (those about a name with "unlucky" in it
 * fail), pages of at most 50, the error document.
 */
export const token = 'emulated-hetzner-token';

type Verb = 'add_records' | 'remove_records';

export const hetznerFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'unauthorized', 'unable to authenticate');
    if (why === 'rights')
      return refuse(403, 'token_readonly', 'the token is only allowed to perform GET requests');
    if (why === 'haste') return refuse(429, 'rate_limit_exceeded', 'limit of 3600 requests per hour reached');
    return refuse(503, 'unavailable', 'a service is not available');
  },
  routes(world) {
    /** Actions that were not asked about yet. */
    const running = new Set<number>();
    const failing = new Set<number>();
    let last = 1000;
    const begin = (name = ''): Answer => {
      running.add(++last);
      if (name.includes('unlucky')) failing.add(last);
      return { status: 201, json: { action: { id: last, status: 'running', progress: 0, error: null } } };
    };
    const act = (verb: Verb) => ({
      method: 'POST',
      path: `/zones/:zone/rrsets/:name/TXT/actions/${verb}`,
      run: (request: Incoming) =>
        inZone(
          world,
          request,
          (zone) => change(world, zone, { verb, request }) ?? begin(request.params.name),
        ),
    });
    return [
      { method: 'GET', path: '/zones', run: (request) => listZones(world, request) },
      {
        method: 'GET',
        path: '/zones/:zone/rrsets',
        run: (request) => inZone(world, request, (zone) => listRrsets(world, zone, request)),
      },
      act('add_records'),
      act('remove_records'),
      {
        method: 'GET',
        path: '/actions/:id',
        run({ params }) {
          const id = Number(params.id);
          if (id > last) return refuse(404, 'not_found', 'action not found');
          // Running for those who ask the first time.
          if (failing.has(id)) {
            const error = { code: 'action_failed', message: 'Action failed' };
            return { status: 200, json: { action: { id, status: 'error', progress: 100, error } } };
          }
          const status = running.delete(id) && id % 2 === 0 ? 'running' : 'success';
          return { status: 200, json: { action: { id, status, progress: 50, error: null } } };
        },
      },
    ];
  },
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zone(params.zone ?? '');
  return zone === undefined ? refuse(404, 'not_found', 'zone not found') : run(zone.name);
}

function listZones(world: World, { query }: Incoming): Answer {
  const name = query.get('name');
  const zones = world.zones.filter((zone) => name === null || zone.name === name);
  return page(
    'zones',
    zones.map(({ name: zone, number }) => ({ id: number, name: zone, mode: 'primary', ttl: 3600 })),
    query,
  );
}

function listRrsets(world: World, zone: string, { query }: Incoming): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  const sets = world.store
    .held(zone)
    .map((set) => ({
      id: `${nameIn(set.name, zone)}/${set.type}`,
      name: nameIn(set.name, zone),
      type: set.type,
      ttl: set.ttl,
      records: set.values.map((value) => ({
        value: set.type === 'TXT' ? writeQuoted(value) : value,
        comment: '',
      })),
    }))
    .filter((set) => (name === null || set.name === name) && (type === null || set.type === type));
  return page('rrsets', sets, query);
}

/** undefined: it was done. */
function change(
  world: World,
  zone: string,
  { verb, request: { params, json } }: { verb: Verb; request: Incoming },
): Answer | undefined {
  const name = params.name === '@' ? zone : `${params.name}.${zone}`;
  const held = world.txt(zone).find((set) => set.name === name);
  const records: readonly { value: string }[] = json.records;
  const values = records.map(({ value }) => readQuoted(value));
  if (values.some((value) => value === undefined))
    return refuse(422, 'invalid_input', 'TXT records must be fully quoted with double quotes');
  const problem = world.problem(zone, { name, ttl: json.ttl });
  if (problem !== undefined) return refuse(422, 'invalid_input', problem);
  const there = (value: string | undefined) => held?.values.includes(value ?? '') === true;
  if (verb === 'remove_records') {
    if (!values.every(there)) return refuse(404, 'not_found', 'record not found');
    const left = held?.values.filter((value) => !values.includes(value)) ?? [];
    world.writeTxt(zone, { name, ttl: held?.ttl ?? 0, values: left });
    return undefined;
  }
  if (values.some(there)) return refuse(409, 'uniqueness_error', 'record already exists');
  if (held !== undefined && json.ttl !== undefined && json.ttl !== held.ttl)
    return refuse(422, 'invalid_input', 'the TTL differs from that of the RRSet');
  const added = values.map((value) => value ?? '');
  world.writeTxt(zone, {
    name,
    ttl: held?.ttl ?? json.ttl ?? 3600,
    values: [...(held?.values ?? []), ...added],
  });
  return undefined;
}

function nameIn(name: string, zone: string): string {
  return name === zone ? '@' : name.slice(0, -zone.length - 1);
}

function page(key: string, items: readonly unknown[], query: URLSearchParams): Answer {
  const size = Math.min(Number(query.get('per_page') ?? 25), 50);
  const number = Number(query.get('page') ?? 1);
  const last = Math.max(1, Math.ceil(items.length / size));
  return {
    status: 200,
    json: {
      [key]: items.slice((number - 1) * size, number * size),
      meta: {
        pagination: {
          page: number,
          per_page: size,
          previous_page: number > 1 ? number - 1 : null,
          next_page: number < last ? number + 1 : null,
          last_page: last,
          total_entries: items.length,
        },
      },
    },
  };
}

function refuse(status: number, code: string, message: string): Answer {
  return { status, json: { error: { code, message, details: null } } };
}
