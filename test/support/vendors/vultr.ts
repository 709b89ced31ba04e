import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Vultr API v2, as https://www.vultr.com/api/#tag/dns has it: names relative to the domain, TXT data in quotes, pages by
 * a cursor in `meta.links.next`, no filter.
 */
export const apiKey = 'emulated-vultr-key';

export const vultrFront: Front = {
  isAuthorized: ({ headers }) => headers.authorization === `Bearer ${apiKey}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'Invalid API token.');
    if (why === 'rights') return refuse(403, 'Missing permission: dns');
    if (why === 'haste') return refuse(429, 'Too many requests');
    return refuse(500, 'Internal server error');
  },
  routes: (world) => [
    {
      method: 'GET',
      path: '/domains',
      run: (request) =>
        page(
          'domains',
          world.zones.map(({ name }) => ({ domain: name })),
          { request, world },
        ),
    },
    {
      method: 'GET',
      path: '/domains/:zone',
      run: (request) =>
        inZone(world, request, (zone) => ({ status: 200, json: { domain: { domain: zone } } })),
    },
    {
      method: 'GET',
      path: '/domains/:zone/records',
      run: (request) =>
        inZone(world, request, (zone) =>
          page(
            'records',
            world.records(zone).map((record) => shown(record, zone)),
            { request, world },
          ),
        ),
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
          world.removeRecord(zone, numberOf(request.params.id ?? ''))
            ? { status: 204, text: '' }
            : refuse(404, 'Invalid record id.'),
        ),
    },
  ],
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? refuse(404, 'Invalid domain.') : run(zone.name);
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly data: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, name, data, ttl }: Posted): Answer {
  const whole = name === '' ? zone : `${name}.${zone}`;
  const value = /^".*"$/s.test(data) ? data.slice(1, -1) : data;
  const set = world.records(zone).filter((one) => one.type === 'TXT' && one.name === whole);
  const problem = textProblem(value) ?? world.problem(zone, { name: whole, ttl });
  if (problem !== undefined || type !== 'TXT') return refuse(400, `Invalid record: ${problem ?? type}`);
  if (set.some((one) => one.ttl !== ttl)) return refuse(400, 'All records of a set must have the same TTL.');
  const record = world.addRecord(zone, { name: whole, type: 'TXT', ttl, value });
  return { status: 201, json: { record: shown(record, zone) } };
}

/** As seen on 2026-07-26 by those of providers/vultr/vultrProvider.go in DNSControl/dnscontrol, as is the rule for TTLs. */
function textProblem(value: string): string | undefined {
  if (value.startsWith('"') || value.endsWith('"')) return 'Record data must be enclosed in quotes';
  return value.includes('"') ? 'Quotes may only appear at the beginning and end of the data' : undefined;
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  const relative = name === zone ? '' : name.slice(0, -zone.length - 1);
  return {
    id: idOf(id),
    type,
    name: relative,
    data: type === 'TXT' ? `"${value}"` : value,
    priority: 0,
    ttl,
  };
}

function idOf(id: number): string {
  return `cb676a46-66fd-4dfb-b839-${String(id).padStart(12, '0')}`;
}

function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}

function page(
  key: string,
  items: readonly unknown[],
  { request: { query }, world }: { request: Incoming; world: World },
): Answer {
  const size = Math.min(Number(query.get('per_page') ?? 100), world.pageSize ?? 500);
  const start = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString() || 0);
  const isLast = start + size >= items.length;
  const next = isLast ? '' : Buffer.from(String(start + size)).toString('base64url');
  const meta = { total: items.length, links: { next, prev: '' } };
  return { status: 200, json: { [key]: items.slice(start, start + size), meta } };
}

function refuse(status: number, error: string): Answer {
  return { status, json: { error, status } };
}
