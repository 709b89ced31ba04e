import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { World } from './world.ts';

/**
 * PowerDNS Authoritative Server, as https://doc.powerdns.com/authoritative/http-api/zone.html has it (list, show with
 * rrset_name and rrset_type, PATCH). Plain texts of 401 and 404, and the refusals of a PATCH, as version 4.7 gives them.
 */
export const apiKey = 'emulated-powerdns-key';

interface Patched {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly changetype: 'REPLACE' | 'DELETE';
  readonly records?: readonly { readonly content: string; readonly disabled: boolean }[];
}

const root = '/api/v1/servers/localhost';

export const powerdnsFront: Front = {
  isAuthorized: ({ headers }) => headers['x-api-key'] === apiKey,
  refusal(why) {
    if (why === 'credentials') return { status: 401, text: 'Unauthorized' };
    if (why === 'rights') return { status: 403, text: 'Forbidden' };
    if (why === 'haste') return { status: 429, text: 'Too Many Requests' };
    return { status: 500, text: 'Internal Server Error' };
  },
  routes: (world) => [
    { method: 'GET', path: root, run: () => ({ status: 200, json: { type: 'Server', id: 'localhost' } }) },
    { method: 'GET', path: `${root}/zones`, run: (request) => listZones(world, request) },
    {
      method: 'GET',
      path: `${root}/zones/:zone`,
      run: (request) => inZone(world, request, (zone) => showZone(world, zone, request)),
    },
    {
      method: 'PATCH',
      path: `${root}/zones/:zone`,
      run: (request) => inZone(world, request, (zone) => patch(world, zone, request.json.rrsets)),
    },
    {
      method: 'PUT',
      path: `${root}/zones/:zone/notify`,
      run: (request) =>
        inZone(world, request, () => ({ status: 200, json: { result: 'Notification queued' } })),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zone((params.zone ?? '').replace(/\.$/, ''));
  return zone === undefined ? { status: 404, text: 'Not Found' } : run(zone.name);
}

function listZones(world: World, { query }: Incoming): Answer {
  const wanted = query.get('zone');
  const zones = world.zones.map(({ name }) => ({ id: `${name}.`, name: `${name}.`, kind: 'Native' }));
  return { status: 200, json: zones.filter(({ name }) => wanted === null || name === wanted) };
}

function showZone(world: World, zone: string, { query }: Incoming): Answer {
  const [name, type] = [query.get('rrset_name'), query.get('rrset_type')];
  const rrsets = world.store
    .held(zone)
    .filter((set) => (name === null || `${set.name}.` === name) && (type === null || set.type === type))
    .map((set) => ({
      name: `${set.name}.`,
      type: set.type,
      ttl: set.ttl,
      records: set.values.map((value) => ({
        content: set.type === 'TXT' ? writeQuoted(value) : value,
        disabled: false,
      })),
      comments: [],
    }));
  return { status: 200, json: { id: `${zone}.`, name: `${zone}.`, kind: 'Native', rrsets } };
}

/** All or none. */
function patch(world: World, zone: string, rrsets: readonly Patched[]): Answer {
  const problem = rrsets
    .map((set, index) => problemOf(world, zone, { set, index, rrsets }))
    .find((one) => one !== undefined);
  if (problem !== undefined) return { status: 422, json: { error: problem } };
  for (const { name, ttl = 0, records = [], changetype } of rrsets) {
    const values = changetype === 'DELETE' ? [] : records.map(({ content }) => readQuoted(content) ?? '');
    world.writeTxt(zone, { name: plain(name), ttl, values });
  }
  return { status: 204, text: '' };
}

function problemOf(
  world: World,
  zone: string,
  { set, index, rrsets }: { set: Patched; index: number; rrsets: readonly Patched[] },
): string | undefined {
  const { name, type, changetype, ttl, records = [] } = set;
  const rrset = `RRset ${name} IN ${type}`;
  if (!name.endsWith('.')) return `${rrset}: Name is not canonical`;
  if (rrsets.findIndex((one) => one.name === name && one.type === type) !== index)
    return `Duplicate ${rrset} with changetype: ${changetype}`;
  if (type !== 'TXT') return `${rrset}: this stand-in knows TXT`;
  if (changetype === 'DELETE') return world.problem(zone, { name: plain(name) });
  if (ttl === undefined) return `${rrset}: Key 'ttl' not present or not an integer`;
  const contents = records.map(({ content }) => content);
  const odd = contents.find((content) => readQuoted(content) === undefined);
  if (odd !== undefined)
    return `Record ${name}/TXT '${odd}': Parsing record content: Data field in DNS should start with quote`;
  if (new Set(contents).size < contents.length) return `${rrset} has more than one of the same record`;
  return world.problem(zone, { name: plain(name), ttl });
}

function plain(name: string): string {
  return name.replace(/\.$/, '');
}
