import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

export interface RecordsFront extends Front {
  readonly user: string;
  readonly password: string;
  /** How often somebody has logged in. */
  logins(): number;
}

/** The API that the script `test/support/dnsapi/dns_records.sh` speaks at `/dnsapi`: signed log-in, sessions, records by id. */
export function createRecordsFront(password: string): RecordsFront {
  const user = 'a user & more';
  const sessions = new Set<string>();
  let logins = 0;

  function isSigned({ text, headers }: Incoming): boolean {
    const signature = createHmac('sha256', password).update(text).digest('hex');
    return headers['x-signature'] === signature && new URLSearchParams(text).get('user') === user;
  }

  function login(): Answer {
    const session = `session-${randomBytes(12).toString('hex')}`;
    sessions.add(session);
    logins++;
    return { status: 200, json: {}, headers: { 'x-session': session } };
  }

  return {
    user,
    password,
    logins: () => logins,
    isAuthorized: (request) =>
      request.path === '/dnsapi/login'
        ? isSigned(request)
        : sessions.has(String(request.headers.authorization).replace(/^Bearer /, '')),
    refusal(why) {
      const status = { credentials: 401, rights: 403, haste: 429, fault: 500 }[why];
      return { status, json: { error: why } };
    },
    routes: (world) => [
      { method: 'POST', path: '/dnsapi/login', writes: () => false, run: login },
      { method: 'GET', path: '/dnsapi/records', run: (request) => list(world, request) },
      { method: 'POST', path: '/dnsapi/records', run: (request) => add(world, request) },
      { method: 'DELETE', path: '/dnsapi/records/:id', run: (request) => remove(world, request) },
    ],
  };
}

/** With blanks and line breaks, as some vendors have it. */
function list(world: World, { query }: Incoming): Answer {
  const name = query.get('name') ?? '';
  const records = world.records(world.store.zoneOf(name) ?? '').filter((record) => record.name === name);
  const items = records.map(({ id, value }) => ({
    id: String(id),
    digest: createHash('sha256').update(value).digest('hex'),
  }));
  const text = JSON.stringify(items, undefined, 2).replaceAll('": ', '" : ').replaceAll(/,\n +/g, ',');
  return { status: 200, text };
}

function add(world: World, { json, headers }: Incoming): Answer {
  const { name, ttl, content } = json;
  const zone = world.store.zoneOf(name);
  const problem = zone === undefined ? 'no zone has it' : world.problem(zone, { name, ttl });
  if (headers['content-type'] !== 'application/json') return { status: 415, json: { error: 'not JSON' } };
  if (zone === undefined || problem !== undefined) return { status: 422, json: { error: problem } };
  const { id } = world.addRecord(zone, { name, type: 'TXT', ttl, value: content });
  return { status: 201, json: { id: String(id) } };
}

/** As APIs that refuse the type of a body that is not there. */
function remove(world: World, { params, headers }: Incoming): Answer {
  if (headers['content-type'] !== undefined) return { status: 415, json: { error: 'a type without a body' } };
  const found = world.zones.some(({ name }) => world.removeRecord(name, Number(params.id)));
  return found ? { status: 200, json: {} } : { status: 404, json: { error: 'no such record' } };
}
