import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { World } from './world.ts';

/**
 * deSEC, as https://desec.readthedocs.io/en/latest/dns/rrsets.html (bulk operations, pagination) and
 * https://desec.readthedocs.io/en/latest/dns/domains.html (owns_qname) have it.
 */
export const token = 'emulated-desec-token';

interface Rrset {
  readonly subname?: string;
  readonly type: string;
  readonly ttl?: number;
  readonly records?: readonly string[];
}

export const desecFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Token ${token}`,
  refusal(why) {
    if (why === 'credentials') return { status: 401, json: { detail: 'Invalid token.' } };
    if (why === 'rights')
      return { status: 403, json: { detail: 'You do not have permission to perform this action.' } };
    if (why === 'haste') return { status: 429, json: { detail: 'Request was throttled.' } };
    return { status: 500, text: 'Server Error' };
  },
  routes: (world) => [
    { method: 'GET', path: '/domains/', run: (request) => listDomains(world, request) },
    {
      method: 'GET',
      path: '/domains/:zone/rrsets/',
      run: (request) => inZone(world, request, (zone) => listRrsets(world, zone, request)),
    },
    {
      method: 'PATCH',
      path: '/domains/:zone/rrsets/',
      run: (request) => inZone(world, request, (zone) => patch(world, zone, request.json)),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zone(params.zone ?? '');
  return zone === undefined ? { status: 404, json: { detail: 'Not found.' } } : run(zone.name);
}

function listDomains(world: World, request: Incoming): Answer {
  const owned = request.query.get('owns_qname');
  const found = owned === null ? undefined : world.store.zoneOf(owned);
  const names = owned === null ? world.zones.map(({ name }) => name) : found === undefined ? [] : [found];
  return page(
    names.map((name) => ({ name, minimum_ttl: world.minTtl })),
    request,
    world.pageSize ?? 500,
  );
}

function listRrsets(world: World, zone: string, request: Incoming): Answer {
  const [subname, type] = [request.query.get('subname'), request.query.get('type')];
  const found = world.store
    .held(zone)
    .map((set) => ({ ...set, subname: set.name === zone ? '' : set.name.slice(0, -zone.length - 1) }))
    .filter((set) => (subname === null || set.subname === subname) && (type === null || set.type === type))
    .map(({ name, values, ...set }) => ({
      domain: zone,
      subname: set.subname,
      name: `${name}.`,
      type: set.type,
      ttl: set.ttl,
      records: set.type === 'TXT' ? values.map(writeQuoted) : values,
    }));
  return page(found, request, world.pageSize ?? 500);
}

/** All or none; errors in the order of the parts, `{}` for one that is right. */
function patch(world: World, zone: string, parts: readonly Rrset[]): Answer {
  const errors = parts.map((part, index) => problemOf(world, zone, { part, index, parts }));
  if (errors.some((error) => error !== undefined)) return { status: 400, json: errors.map((e) => e ?? {}) };
  for (const { subname = '', records, ttl } of parts) {
    const name = nameOf(subname, zone);
    const held = world.txt(zone).find((set) => set.name === name);
    const values = records?.map((text) => readQuoted(text) ?? '') ?? held?.values ?? [];
    world.writeTxt(zone, { name, ttl: ttl ?? held?.ttl ?? 0, values });
  }
  return { status: 200, json: parts };
}

function problemOf(
  world: World,
  zone: string,
  { part, index, parts }: { part: Rrset; index: number; parts: readonly Rrset[] },
): object | undefined {
  const { subname = '', type, ttl, records = [] } = part;
  const name = nameOf(subname, zone);
  if (type !== 'TXT') return { type: ['This emulator knows TXT.'] };
  if (parts.findIndex((one) => (one.subname ?? '') === subname) !== index)
    return { non_field_errors: ['Same subname and type as in position(s) 0, but must be unique.'] };
  if (records.some((text) => readQuoted(text) === undefined))
    return { records: ['Record content of type TXT malformed.'] };
  if (new Set(records).size < records.length) return { records: ['Duplicate record.'] };
  const least = ttl !== undefined && ttl < world.minTtl;
  if (least) return { ttl: [`Ensure this value is greater than or equal to ${world.minTtl}.`] };
  const problem = world.problem(zone, { name });
  return problem === undefined ? undefined : { subname: [problem] };
}

function nameOf(subname: string, zone: string): string {
  return subname === '' ? zone : `${subname}.${zone}`;
}

/** Without `cursor`, more than one page is refused. */
function page(items: readonly unknown[], { query, path, headers }: Incoming, size: number): Answer {
  const cursor = query.get('cursor');
  if (cursor === null)
    return items.length > size
      ? { status: 400, json: { detail: 'Pagination required. You can query up to 500 items at a time.' } }
      : { status: 200, json: items };
  const start = Number(cursor === '' ? 0 : cursor);
  const next = new URLSearchParams(query);
  next.set('cursor', String(start + size));
  const link = (search: URLSearchParams, rel: string) =>
    `<http://${headers.host}${path}?${search}>; rel="${rel}"`;
  const first = new URLSearchParams(query);
  first.set('cursor', '');
  const more = start + size < items.length ? [link(next, 'next')] : [];
  return {
    status: 200,
    json: items.slice(start, start + size),
    headers: { link: [link(first, 'first'), ...more].join(', ') },
  };
}
