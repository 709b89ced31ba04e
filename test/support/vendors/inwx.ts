import { totpCode } from '../../../providers/totp.ts';
import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * INWX's JSON-RPC, as https://www.inwx.com/en/help/apidoc/f/ch02s15.html has it (nameserver.list, .info, .createRecord,
 * .deleteRecord) and https://www.inwx.com/en/help/apidoc/f/ch02.html (account.login, .unlock): a session by the cookie
 * domrobot, codes of EPP, whole names, an identical record refused. Ids of records are texts since they passed 32 bits, as
 * INWX wrote to its users (https://github.com/inwx/python-client/issues/19). A code of the second factor is taken once.
 */
export const username = 'emulated-inwx-user';
export const password = 'emulated-inwx-password';
export const sharedSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

interface InwxOptions {
  /** With a second factor; default: none. */
  readonly twoFactor?: boolean | undefined;
  readonly now?: (() => number) | undefined;
}

interface InwxFront extends Front {
  /** Codes that were taken. */
  readonly usedCodes: Set<string>;
  /** Forgets all sessions. */
  endSessions(): void;
}

interface Desk extends Required<InwxOptions> {
  readonly usedCodes: Set<string>;
  /** By the cookie: whether it is open. */
  readonly sessions: Map<string, boolean>;
}

export function createInwxFront({ twoFactor = false, now = Date.now }: InwxOptions = {}): InwxFront {
  const desk: Desk = { twoFactor, now, usedCodes: new Set(), sessions: new Map() };
  return {
    usedCodes: desk.usedCodes,
    endSessions: () => desk.sessions.clear(),
    isAuthorized: ({ json }) =>
      json?.method !== 'account.login' || (json.params.user === username && json.params.pass === password),
    refusal(why) {
      if (why === 'credentials') return say(2200, 'Authentication error');
      if (why === 'rights') return say(2201, 'Authorization error');
      if (why === 'haste') return say(2502, 'Session limit exceeded; server closing connection');
      return say(2400, 'Command failed');
    },
    routes: (world) => [
      {
        method: 'POST',
        path: '/',
        writes: ({ json }) => /^nameserver\.(?:create|delete)/.test(json?.method ?? ''),
        run: (request) => act(world, request, desk),
      },
    ],
  };
}

function act(world: World, { json, headers }: Incoming, desk: Desk): Answer {
  const { method, params } = json;
  const id = /domrobot=([^;\s]+)/.exec(headers.cookie ?? '')?.[1] ?? '';
  if (method === 'account.login') return login(desk);
  if (method === 'account.unlock') return unlock(desk, id, String(params.tan));
  if (desk.sessions.get(id) !== true) return say(2200, 'Authentication error');
  if (method === 'nameserver.list') return listDomains(world, params);
  if (method === 'nameserver.deleteRecord')
    return typeof params.id === 'string' &&
      world.zones.some(({ name }) => world.removeRecord(name, numberIn(params.id)))
      ? say(1000, 'Command completed successfully')
      : say(2303, 'Object does not exist');
  const zone = world.zones.find(({ name }) => name === params.domain)?.name;
  if (zone === undefined) return say(2303, 'Object does not exist');
  if (method === 'nameserver.info') return listRecords(world, zone, params);
  return method === 'nameserver.createRecord' ? add(world, zone, params) : say(2000, 'Unknown command');
}

function login({ sessions, twoFactor }: Desk): Answer {
  const id = `session${sessions.size}x${Math.random().toString(36).slice(2)}`;
  sessions.set(id, !twoFactor);
  const answer = done({ customerId: 1, accountId: 2, tfa: twoFactor ? 'GOOGLE-AUTH' : '0' });
  return { ...answer, headers: { 'set-cookie': `domrobot=${id}; path=/; secure; HttpOnly` } };
}

function unlock({ sessions, usedCodes, now }: Desk, id: string, code: string): Answer {
  if (!sessions.has(id) || usedCodes.has(code) || code !== totpCode(sharedSecret, now()))
    return say(2200, 'Authentication error');
  usedCodes.add(code);
  sessions.set(id, true);
  return say(1000, 'Command completed successfully');
}

interface Search {
  readonly domain?: string;
  readonly page?: number;
  readonly pagelimit?: number;
}

function listDomains(world: World, { domain, page = 1, pagelimit = 20 }: Search): Answer {
  const found = world.zones.filter(({ name }) => domain === undefined || name === domain);
  const items = found.slice((page - 1) * pagelimit, page * pagelimit);
  const domains = items.map(({ name, number }) => ({ roId: number, domain: name, type: 'MASTER' }));
  return done({ count: found.length, domains });
}

function listRecords(
  world: World,
  zone: string,
  { type, name }: { readonly type?: string; readonly name?: string },
): Answer {
  const found = world
    .records(zone)
    .filter((one) => (type === undefined || one.type === type) && (name === undefined || one.name === name));
  const record = found.map((one) => ({
    id: idOf(one.id),
    name: one.name,
    type: one.type,
    content: one.value,
    ttl: one.ttl,
    prio: 0,
  }));
  // Without any there is no field.
  return done({ domain: zone, count: record.length, ...(record.length > 0 && { record }) });
}

interface Created {
  readonly type: string;
  readonly name: string;
  readonly content: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { type, name, content, ttl }: Created): Answer {
  const problem = world.problem(zone, { name, ttl });
  if (problem !== undefined || type !== 'TXT') return say(2005, 'Parameter value syntax error');
  const isThere = world.records(zone).some((one) => one.name === name && one.value === content);
  if (isThere) return say(2302, 'Object exists');
  return done({ id: idOf(world.addRecord(zone, { name, type: 'TXT', ttl, value: content }).id) });
}

/** Beyond 32 bits. */
const firstId = 4_300_000_000;

function idOf(number: number): string {
  return String(firstId + number);
}

function numberIn(id: string): number {
  return Number(id) - firstId;
}

function done(resData: object): Answer {
  return { status: 200, json: { code: 1000, msg: 'Command completed successfully', resData } };
}

function say(code: number, msg: string): Answer {
  return { status: 200, json: { code, msg, svTRID: 'emulated' } };
}
