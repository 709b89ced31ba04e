import { createVerify, generateKeyPairSync } from 'node:crypto';
import type { RrSet } from '../zone-store.ts';
import type { Answer, Front, Incoming } from './server.ts';
import { readQuoted, writeQuoted } from './text.ts';
import type { World } from './world.ts';

/**
 * Cloud DNS v1, as https://cloud.google.com/dns/docs/reference/rest/v1 has it: managedZones.list (dnsName),
 * resourceRecordSets.list, changes.create (deletions must match), changes.get; tokens for a signed JWT as
 * https://developers.google.com/identity/protocols/oauth2/service-account has it, and the metadata server of
 * https://cloud.google.com/compute/docs/metadata/overview.
 */
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

const project = 'emulated-project';
const email = 'acme@emulated-project.iam.gserviceaccount.com';
const granted = 'ya29.emulated-access-token';

/** A key file; `wrong`: of a key that Google does not know. */
export function keyAt(url: string, key: 'good' | 'wrong' = 'good'): string {
  const pem = (key === 'good' ? privateKey : stranger.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return JSON.stringify({
    type: 'service_account',
    project_id: project,
    private_key_id: 'key-1',
    private_key: pem,
    client_email: email,
    token_uri: `${url}/token`,
  });
}

interface Rrset {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly rrdatas: readonly string[];
}

export const googleFront: Front = {
  isAuthorized: ({ path, headers }) =>
    path === '/token' || path.startsWith('/computeMetadata') || headers.authorization === `Bearer ${granted}`,
  refusal(why) {
    if (why === 'credentials') return refuse(401, 'authError', 'Invalid Credentials');
    if (why === 'rights') return refuse(403, 'forbidden', 'Forbidden');
    // With 429 (https://github.com/kubernetes-sigs/external-dns/issues/1710), or with 403 and a reason, as in
    // https://cloud.google.com/compute/api-quota; which when is not documented. Here that which looks like another refusal.
    if (why === 'haste')
      return refuse(403, 'rateLimitExceeded', 'Quota exceeded for quota metric', 'usageLimits');
    return refuse(503, 'backendError', 'Backend Error');
  },
  routes(world) {
    const changes = new Map<string, 'pending' | 'done'>();
    const base = `/projects/${project}/managedZones`;
    return [
      { method: 'POST', path: '/token', writes: () => false, run: grant },
      {
        method: 'GET',
        path: '/computeMetadata/v1/*',
        run: ({ path, headers }) => {
          if (headers['metadata-flavor'] !== 'Google')
            return { status: 403, text: 'Missing Metadata-Flavor' };
          return path.endsWith('/token') ? token() : { status: 200, text: project };
        },
      },
      { method: 'GET', path: base, run: (request) => listZones(world, request) },
      {
        method: 'GET',
        path: `${base}/:zone/rrsets`,
        run: (request) => inZone(world, request, (zone) => listRrsets(world, zone, request)),
      },
      {
        method: 'POST',
        path: `${base}/:zone/changes`,
        run: (request) => inZone(world, request, (zone) => change(world, zone, { request, changes })),
      },
      {
        method: 'GET',
        path: `${base}/:zone/changes/:id`,
        run({ params: { id = '' } }) {
          const status = changes.get(id);
          return status === undefined ? refuse(404, 'notFound', id) : { status: 200, json: { id, status } };
        },
      },
    ];
  },
};

function grant({ text }: Incoming): Answer {
  const [header = '', claims = '', signature = ''] = (new URLSearchParams(text).get('assertion') ?? '').split(
    '.',
  );
  const claimed = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}');
  const good =
    createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url') &&
    claimed.iss === email &&
    claimed.exp - claimed.iat <= 3600;
  if (good) return token();
  return { status: 400, json: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } };
}

function token(): Answer {
  return { status: 200, json: { access_token: granted, expires_in: 3599, token_type: 'Bearer' } };
}

function inZone(world: World, { params }: Incoming, run: (zone: string) => Answer): Answer {
  const zone = world.zones.find(({ name }) => idOf(name) === params.zone);
  if (zone !== undefined) return run(zone.name);
  return refuse(
    404,
    'notFound',
    `The 'parameters.managedZone' resource named '${params.zone}' does not exist.`,
  );
}

function listZones(world: World, { query }: Incoming): Answer {
  const wanted = query.get('dnsName');
  const zones = world.zones
    .map(({ name, number }) => ({
      id: String(number),
      name: idOf(name),
      dnsName: `${name}.`,
      visibility: 'public',
    }))
    .filter(({ dnsName }) => wanted === null || dnsName === wanted);
  return page('managedZones', zones, { query, most: 100 });
}

function listRrsets(world: World, zone: string, { query }: Incoming): Answer {
  const [name, type] = [query.get('name'), query.get('type')];
  if (type !== null && name === null) return refuse(400, 'invalid', "'type' must come with 'name'");
  const sets = world.store
    .held(zone)
    .map(toRrset)
    .filter((set) => (name === null || set.name === name) && (type === null || set.type === type));
  return page('rrsets', sets, { query, most: 1000 });
}

/** All or none: deletions must be as the sets stand there, additions must have room. */
function change(
  world: World,
  zone: string,
  { request: { json }, changes }: { request: Incoming; changes: Map<string, 'pending' | 'done'> },
): Answer {
  const { additions = [], deletions = [] }: { additions?: Rrset[]; deletions?: Rrset[] } = json;
  const held = world.store.held(zone).map(toRrset);
  const same = (a: Rrset, b: Rrset) => a.name === b.name && a.type === b.type;
  for (const [index, set] of deletions.entries()) {
    const found = held.find((one) => same(one, set));
    const what = `'entity.change.deletions[${index}]'`;
    if (found === undefined)
      return refuse(404, 'notFound', `The ${what} resource named '${set.name} (TXT)' does not exist.`);
    if (JSON.stringify([found.ttl, found.rrdatas]) !== JSON.stringify([set.ttl, set.rrdatas]))
      return refuse(412, 'conditionNotMet', `Precondition not met for ${what}`);
  }
  for (const [index, set] of additions.entries()) {
    const what = `'entity.change.additions[${index}]'`;
    if (held.some((one) => same(one, set)) && !deletions.some((one) => same(one, set)))
      return refuse(409, 'alreadyExists', `The resource ${what} named '${set.name} (TXT)' already exists`);
    const values = set.rrdatas.map(readQuoted);
    const problem = world.problem(zone, { name: set.name.replace(/\.$/, ''), ttl: set.ttl });
    if (problem !== undefined || !set.name.endsWith('.') || values.includes(undefined))
      return refuse(400, 'invalid', `Invalid value for ${what}: ${problem ?? set.rrdatas[0]}`);
    if (new Set(values).size < values.length || values.length > 100)
      return refuse(400, 'invalid', `Invalid value for ${what}: rrdata`);
  }
  const [gone, made] = [deletions, additions].map((sets) => sets.map((set) => toSet(set)));
  const left = (gone ?? []).filter(({ name }) => !made?.some((set) => set.name === name));
  const id = String(changes.size + 1);
  changes.set(id, 'pending');
  const published = world.store.write(zone, [
    ...left.map((set) => ({ ...set, values: [] })),
    ...(made ?? []),
  ]);
  published.then(() => changes.set(id, 'done'));
  return { status: 200, json: { id, status: 'pending', additions, deletions } };
}

function toRrset({ name, type, ttl, values }: RrSet): Rrset {
  return { name: `${name}.`, type, ttl, rrdatas: type === 'TXT' ? values.map(writeQuoted) : values };
}

function toSet({ name, ttl, rrdatas }: Rrset): RrSet {
  const values = rrdatas.map((text) => readQuoted(text) ?? '');
  return { name: name.replace(/\.$/, ''), type: 'TXT', ttl, values };
}

export function idOf(name: string): string {
  return `zone-${name.replaceAll('.', '-')}`;
}

function page(
  key: string,
  items: readonly unknown[],
  { query, most }: { query: URLSearchParams; most: number },
): Answer {
  const size = Math.min(Number(query.get('maxResults') ?? 100), most);
  const start = Number(query.get('pageToken') ?? 0);
  const more = start + size < items.length && { nextPageToken: String(start + size) };
  return { status: 200, json: { [key]: items.slice(start, start + size), ...more } };
}

function refuse(code: number, reason: string, message: string, domain = 'global'): Answer {
  const errors = [{ message, domain, reason }];
  return { status: code, json: { error: { code, message, errors } } };
}
