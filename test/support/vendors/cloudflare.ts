import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Cloudflare API v4, as https://developers.cloudflare.com/api/resources/dns/subresources/records/ has it (list, batch) and
 * https://developers.cloudflare.com/api/resources/zones/methods/list/. Codes of its error documents: 9109, 7003 and the
 * identical record (81058) as its clients report them.
 */
export const token = 'emulated-cloudflare-token';

interface Posted {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly ttl: number;
}

export const cloudflareFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token}`,
  refusal(why) {
    if (why === 'credentials') return refuse(403, 9109, 'Invalid access token');
    if (why === 'rights') return refuse(403, 10000, 'Authentication error');
    if (why === 'haste') return refuse(429, 971, 'Please wait and consider throttling your request speed');
    return { status: 502, text: '<html><h1>502 Bad Gateway</h1></html>' };
  },
  routes: (world) => [
    { method: 'GET', path: '/zones', run: (request) => listZones(world, request) },
    {
      method: 'GET',
      path: '/zones/:zone/dns_records',
      run: (request) => inZone(world, request, (zone) => listRecords(world, zone, request)),
    },
    {
      method: 'POST',
      path: '/zones/:zone/dns_records/batch',
      run: (request) => inZone(world, request, (zone) => change(world, zone, request)),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zone(params.zone ?? '');
  return zone === undefined
    ? refuse(404, 7003, 'Could not route to the zone, perhaps your object identifier is invalid?')
    : run(zone.name);
}

function listZones(world: World, { query }: Incoming): Answer {
  const name = query.get('name');
  const zones = world.zones.filter((zone) => name === null || zone.name === name);
  return page(
    zones.map(({ id, name: zone }) => ({ id, name: zone, status: 'active' })),
    query,
    world.pageSize ?? 50,
  );
}

function listRecords(world: World, zone: string, { query }: Incoming): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  const found = world
    .records(zone)
    .filter((record) => (name === null || record.name === name) && (type === null || record.type === type));
  return page(found.map(shown), query, world.pageSize ?? 5_000_000);
}

/** Deletes, then posts; all or none. */
function change(world: World, zone: string, { json }: Incoming): Answer {
  const deletes: readonly { id: string }[] = json.deletes ?? [];
  const posts: readonly Posted[] = json.posts ?? [];
  if (deletes.length + posts.length > 200) return refuse(400, 9207, 'Too many changes in a batch');
  const left = world.records(zone).filter(({ id }) => !deletes.some((one) => one.id === idOf(id)));
  if (world.records(zone).length - left.length < deletes.length)
    return refuse(404, 81044, 'Record does not exist.');
  const made: Omit<VendorRecord, 'id'>[] = [];
  for (const { name, type, content, ttl } of posts) {
    const problem = world.problem(zone, { name, ttl });
    if (problem !== undefined || type !== 'TXT') return refuse(400, 9005, `Content for TXT: ${problem}`);
    // Content without quotes is taken as one string.
    const value = readQuoted(content) ?? content;
    const isSame = (one: Omit<VendorRecord, 'id'>) => one.name === name && one.value === value;
    if ([...left, ...made].some(isSame)) return refuse(400, 81058, 'An identical record already exists.');
    made.push({ name, type: 'TXT', ttl, value });
  }
  for (const { id } of deletes) world.removeRecord(zone, Number.parseInt(id, 16));
  const records = made.map((record) => world.addRecord(zone, record));
  return ok({ deletes, patches: [], puts: [], posts: records.map(shown) });
}

function shown({ id, name, type, ttl, value }: VendorRecord) {
  return { id: idOf(id), name, type, ttl, content: type === 'TXT' ? writeQuoted(value) : value };
}

function idOf(id: number): string {
  return id.toString(16).padStart(32, '0');
}

function page(items: readonly unknown[], query: URLSearchParams, most: number): Answer {
  const perPage = Math.min(Number(query.get('per_page') ?? 100), most);
  const number = Number(query.get('page') ?? 1);
  const result = items.slice((number - 1) * perPage, number * perPage);
  const pages = Math.ceil(items.length / perPage);
  return ok(result, {
    page: number,
    per_page: perPage,
    count: result.length,
    total_count: items.length,
    total_pages: pages,
  });
}

function ok(result: unknown, info?: object): Answer {
  return { status: 200, json: { success: true, errors: [], messages: [], result, result_info: info } };
}

function refuse(status: number, code: number, message: string): Answer {
  return { status, json: { success: false, errors: [{ code, message }], messages: [], result: null } };
}
