import { signOvh } from '../../../providers/ovh-auth.ts';
import { secret } from '../../../src/core/secret.ts';
import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { VendorRecord, World } from './world.ts';

/**
 * OVHcloud API v1, as https://eu.api.ovh.com/console/?section=%2Fdomain&branch=v1 has it: ids first, records by id, names
 * relative to the zone, TXT in quotes, copies taken, changes in force by a refresh; signatures and tokens as in
 * https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api. Error codes as its own clients know them.
 */
export const applicationKey = 'emulatedAK';
export const applicationSecret = 'emulated-ovh-application-secret';
export const consumerKey = 'emulated-ovh-consumer-key';
export const clientId = 'EU.emulated';
export const clientSecret = 'emulated-ovh-client-secret';

interface OvhFront extends Front {
  /** Zones with changes that no refresh has put into force. */
  readonly stale: Set<string>;
  /** Takes tokens given until now no more. */
  endTokens(): void;
}

interface Desk {
  readonly stale: Set<string>;
  readonly tokens: Set<string>;
  readonly now: () => number;
}

export function createOvhFront(now: () => number = Date.now): OvhFront {
  const desk: Desk = { stale: new Set(), tokens: new Set(), now };
  return {
    stale: desk.stale,
    endTokens: () => desk.tokens.clear(),
    isAuthorized: () => true,
    refusal(why) {
      if (why === 'rights') return refuse(403, 'NOT_GRANTED_CALL', 'This call has not been granted');
      if (why === 'haste') return refuse(429, 'TOO_MANY_REQUESTS', 'Too many requests');
      return refuse(500, 'INTERNAL_SERVER_ERROR', 'Internal server error');
    },
    routes: (world) => [
      { method: 'GET', path: '/auth/time', run: () => ({ status: 200, json: Math.round(now() / 1000) }) },
      { method: 'POST', path: '/auth/oauth2/token', writes: () => false, run: (one) => giveToken(desk, one) },
      ...dnsRoutes(world, desk.stale).map(({ run, ...route }) => ({
        ...route,
        run: (request: Incoming) => refusalOf(request, desk) ?? run(request),
      })),
    ],
  };
}

function dnsRoutes(world: World, stale: Set<string>) {
  const inZone = (run: (zone: string, request: Incoming) => Answer) => (request: Incoming) => {
    const zone = world.zones.find(({ name }) => name === request.params.zone)?.name;
    return zone === undefined ? notFound : run(zone, request);
  };
  const changing = (run: (zone: string, request: Incoming) => Answer) =>
    inZone((zone, request) => {
      stale.add(zone);
      return run(zone, request);
    });
  const records = '/domain/zone/:zone/record';
  return [
    {
      method: 'GET',
      path: '/domain/zone',
      run: () => ({ status: 200, json: world.zones.map(({ name }) => name) }),
    },
    { method: 'GET', path: records, run: inZone((zone, request) => listIds(world, zone, request)) },
    { method: 'GET', path: `${records}/:ids`, run: inZone((zone, request) => show(world, zone, request)) },
    { method: 'POST', path: records, run: changing((zone, request) => add(world, zone, request.json)) },
    {
      method: 'DELETE',
      path: `${records}/:id`,
      run: changing((zone, { params }) =>
        world.removeRecord(zone, Number(params.id)) ? { status: 200, json: null } : notFound,
      ),
    },
    {
      method: 'POST',
      path: '/domain/zone/:zone/refresh',
      writes: () => false,
      run: inZone((zone) => {
        stale.delete(zone);
        return { status: 200, json: null };
      }),
    },
  ];
}

const notFound = refuse(404, 'NOT_FOUND', 'The requested object does not exist');

function refusalOf(
  { method, path, query, headers, text }: Incoming,
  { tokens, now }: Desk,
): Answer | undefined {
  const { authorization } = headers;
  if (authorization !== undefined)
    return tokens.has(authorization) ? undefined : refuse(403, 'INVALID_CREDENTIAL', 'Invalid token');
  if (headers['x-ovh-application'] !== applicationKey)
    return refuse(403, 'INVALID_KEY', 'This application key is invalid');
  if (headers['x-ovh-consumer'] !== consumerKey)
    return refuse(403, 'INVALID_CREDENTIAL', 'This credential does not exist');
  const at = Number(headers['x-ovh-timestamp']) * 1000;
  if (!(Math.abs(now() - at) < 30_000)) return refuse(400, 'QUERY_TIME_OUT', 'Query out of time');
  const url = new URL(`http://${headers.host}${path}${query.size === 0 ? '' : `?${query}`}`);
  const keys = {
    applicationKey,
    applicationSecret: secret(applicationSecret),
    consumerKey: secret(consumerKey),
  };
  const signed = signOvh({ method, url, body: text, headers }, keys, at);
  return headers['x-ovh-signature'] === signed['x-ovh-signature']
    ? undefined
    : refuse(400, 'INVALID_SIGNATURE', 'Invalid signature');
}

function giveToken({ tokens }: Desk, { text }: Incoming): Answer {
  const form = new URLSearchParams(text);
  const isRight =
    form.get('client_id') === clientId &&
    form.get('client_secret') === clientSecret &&
    form.get('grant_type') === 'client_credentials' &&
    form.get('scope') === 'all';
  if (!isRight) return { status: 400, json: { error: 'invalid_client', error_description: 'wrong secret' } };
  const access_token = `token-${Math.random().toString(36).slice(2)}`;
  tokens.add(`Bearer ${access_token}`);
  return { status: 200, json: { access_token, token_type: 'Bearer', expires_in: 3599, scope: 'all' } };
}

function listIds(world: World, zone: string, { query }: Incoming): Answer {
  const [type, subDomain] = [query.get('fieldType'), query.get('subDomain')];
  const found = world
    .records(zone)
    .filter((one) => type === null || one.type === type)
    .map((one) => shown(one, zone))
    .filter((one) => subDomain === null || one.subDomain === subDomain);
  return { status: 200, json: found.map(({ id }) => id) };
}

function show(world: World, zone: string, { params, headers }: Incoming): Answer {
  const found = world.records(zone).map((one) => shown(one, zone));
  const wanted = (params.ids ?? '').split(headers['x-ovh-batch'] ?? '/').map(Number);
  if (headers['x-ovh-batch'] === undefined) {
    const one = found.find(({ id }) => id === wanted[0]);
    return one === undefined ? notFound : { status: 200, json: one };
  }
  const json = wanted.map((key) => {
    const value = found.find(({ id }) => id === key);
    return { key, value: value ?? null, error: value === undefined ? 'does not exist' : null };
  });
  return { status: 200, json };
}

interface Posted {
  readonly fieldType: string;
  readonly subDomain: string;
  readonly target: string;
  readonly ttl: number;
}

function add(world: World, zone: string, { fieldType, subDomain, target, ttl }: Posted): Answer {
  const name = subDomain === '' ? zone : `${subDomain}.${zone}`;
  const value = readQuoted(target);
  const problem = value === undefined ? 'target must be in quotes' : world.problem(zone, { name, ttl });
  if (problem !== undefined || fieldType !== 'TXT') return refuse(400, 'BAD_REQUEST', problem ?? 'not TXT');
  const record = world.addRecord(zone, { name, type: 'TXT', ttl, value: value ?? '' });
  return { status: 200, json: shown(record, zone) };
}

function shown({ id, name, type, ttl, value }: VendorRecord, zone: string) {
  return {
    id,
    zone,
    subDomain: name === zone ? '' : name.slice(0, -zone.length - 1),
    fieldType: type,
    target: type === 'TXT' ? writeQuoted(value) : value,
    ttl,
  };
}

function refuse(status: number, errorCode: string, message: string): Answer {
  return { status, json: { class: 'Client', errorCode, httpCode: String(status), message } };
}
