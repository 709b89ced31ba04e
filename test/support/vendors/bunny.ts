import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * bunny.net, as https://docs.bunny.net/reference/dnszonepublic_index and
 * https://docs.bunny.net/reference/dnszonepublic_addrecord have it: types by number (as clients in use have them) or by name
 * (as the examples there have them; here every other one), records within the zone, PUT adds.
 */
export const accessKey = 'emulated-bunny-access-key';

const types: Readonly<Record<string, number>> = { A: 0, AAAA: 1, CNAME: 2, TXT: 3, CAA: 9, NS: 12, SOA: 13 };

export const bunnyFront: Front = {
  isAuthorized: ({ headers }) => headers.accesskey === accessKey,
  refusal(why) {
    if (why === 'credentials') return { status: 401, json: { Message: 'Authorization has been denied.' } };
    if (why === 'rights') return { status: 403, json: { Message: 'The account may not do this.' } };
    if (why === 'haste') return { status: 429, json: { Message: 'Too many requests.' } };
    return { status: 500, text: '' };
  },
  routes: (world) => [
    { method: 'GET', path: '/dnszone', run: (request) => listZones(world, request) },
    {
      method: 'GET',
      path: '/dnszone/:zone',
      run: (request) =>
        inZone(world, request, (zone) => ({
          status: 200,
          json: { Domain: zone, Records: world.records(zone).map((record) => shown(record, zone)) },
        })),
    },
    {
      method: 'PUT',
      path: '/dnszone/:zone/records',
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'DELETE',
      path: '/dnszone/:zone/records/:id',
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, Number(request.params.id)) ? { status: 204, text: '' } : notFound,
        ),
    },
  ],
};

const notFound: Answer = {
  status: 404,
  json: { ErrorKey: 'dnszone.not_found', Message: 'The requested item was not found.' },
};

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ number }) => String(number) === params.zone);
  return zone === undefined ? notFound : run(zone.name);
}

function listZones(world: World, { query }: Incoming): Answer {
  const search = query.get('search') ?? '';
  const found = world.zones.filter(({ name }) => name.includes(search));
  const size = Math.min(Number(query.get('perPage') ?? 1000), world.pageSize ?? 1000);
  const page = Number(query.get('page') ?? 1);
  const items = found.slice((page - 1) * size, page * size);
  return {
    status: 200,
    json: {
      CurrentPage: page,
      TotalItems: found.length,
      HasMoreItems: page * size < found.length,
      Items: items.map(({ name, number }) => ({ Id: number, Domain: name, Records: [] })),
    },
  };
}

interface Put {
  readonly Type: number;
  readonly Ttl: number;
  readonly Value: string;
  readonly Name: string;
}

function add(world: World, zone: string, { Type, Ttl, Value, Name }: Put): Answer {
  const name = Name === '' ? zone : `${Name}.${zone}`;
  const problem = world.problem(zone, { name, ttl: Ttl });
  if (problem !== undefined || Type !== types.TXT)
    return { status: 400, json: { ErrorKey: 'validation_error', Field: 'Name', Message: problem ?? 'Type' } };
  return {
    status: 201,
    json: shown(world.addRecord(zone, { name, type: 'TXT', ttl: Ttl, value: Value }), zone),
  };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  return {
    Id: id,
    Type: id % 2 === 0 ? types[type] : type,
    Ttl: ttl,
    Value: value,
    Name: name === zone ? '' : name.slice(0, -zone.length - 1),
  };
}
