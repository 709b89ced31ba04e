import type { Answer, Front, Incoming } from './server.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * Porkbun API v3, as https://porkbun.com/api/json/v3/documentation has it (https://porkbun.com/api/json/v3/spec): all calls
 * are POST with the keys in the body, numbers are texts, whole names in lists, relative ones in creations; refusals have
 * status 400 and a `code`, those for haste 429 and `ttlRemaining`. That for a domain without API access is as its clients
 * report it.
 */
export const apiKey = 'pk1_emulated';
export const secretApiKey = 'sk1_emulated';

export const porkbunFront: Front = {
  isAuthorized: ({ json }) => json?.apikey === apiKey && json.secretapikey === secretApiKey,
  refusal(why) {
    if (why === 'credentials') return refuse('Invalid API key. (001)', 'INVALID_API_KEYS_001');
    if (why === 'rights') return refuse('Domain is not opted in to API access.');
    if (why === 'haste')
      return {
        status: 429,
        json: { status: 'ERROR', code: 'RATE_LIMIT_EXCEEDED', message: 'Slow down.', ttlRemaining: 1 },
      };
    return { status: 503, text: '<html>503</html>' };
  },
  routes: (world) => [
    reading('/ping', () => ok({ yourIp: '127.0.0.1' })),
    reading('/domain/listAll', ({ json }) => {
      const start = Number(json.start ?? 0);
      return ok({
        domains: world.zones
          .slice(start, start + 1000)
          .map(({ name }) => ({ domain: name, status: 'ACTIVE' })),
      });
    }),
    reading('/dns/retrieve/:zone', (request) =>
      inZone(world, request, (zone) => ok({ records: world.records(zone).map(shown) })),
    ),
    {
      method: 'POST',
      path: '/dns/create/:zone',
      run: (request) => inZone(world, request, (zone) => add(world, zone, request.json)),
    },
    {
      method: 'POST',
      path: '/dns/delete/:zone/:id',
      run: (request) =>
        inZone(world, request, (zone) =>
          world.removeRecord(zone, Number(request.params.id))
            ? ok({})
            : refuse('Invalid record ID.', 'INVALID_RECORD_ID'),
        ),
    },
  ],
};

function reading(path: string, run: (request: Incoming) => Answer) {
  return { method: 'POST', path, writes: () => false, run };
}

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === params.zone);
  return zone === undefined ? refuse('Invalid domain.', 'INVALID_DOMAIN') : run(zone.name);
}

interface Posted {
  readonly type: string;
  readonly name: string;
  readonly content: string;
  readonly ttl: string;
}

function add(world: World, zone: string, { type, name, content, ttl }: Posted): Answer {
  const whole = name === '' ? zone : `${name}.${zone}`;
  const problem = world.problem(zone, { name: whole, ttl: Number(ttl) });
  if (problem !== undefined || type !== 'TXT')
    return refuse(`Create error: ${problem ?? 'We were unable to create the DNS record.'}`);
  const record = world.addRecord(zone, { name: whole, type: 'TXT', ttl: Number(ttl), value: content });
  return ok({ id: record.id });
}

function shown({ id, name, type, ttl, value }: VendorRecord) {
  return { id: String(id), name, type, content: value, ttl: String(ttl), prio: '0', notes: '' };
}

function ok(content: object): Answer {
  return { status: 200, json: { status: 'SUCCESS', ...content } };
}

function refuse(message: string, code?: string): Answer {
  return { status: 400, json: { status: 'ERROR', ...(code !== undefined && { code }), message } };
}
