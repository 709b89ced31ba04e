import { createHash } from 'node:crypto';
import type { RrSet } from '../zone-store.ts';
import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * Azure DNS 2018-05-01, as https://learn.microsoft.com/en-us/rest/api/dns/ has it: zones, TXT record sets with etags
 * (If-Match, If-None-Match), nextLink. Errors of Azure Resource Manager stand below "error", as documented; those of Azure
 * DNS itself do not: {"code":"NotFound","message":"The resource record '…' does not exist in resource group …"}, as in
 * the log of https://github.com/Azure/azure-cli/issues/27374. Tokens as
 * https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
 * https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token have them.
 */
const granted = 'eyJ0.emulated-azure-token';

export const account = {
  subscriptionId: '0b1f6471-1bf0-4dda-aec3-cb9272f09590',
  resourceGroup: 'dns group',
  tenantId: 'f8cdef31-a31e-4b4a-93e4-5f571e91255a',
  clientId: '535fb089-9ff3-47b6-9bfb-4f1264799865',
  clientSecret: 'emulated-client-secret',
};

export const federatedToken = 'eyJ0.token-of-the-workload';

export const azureFront: Front = {
  isAuthorized: ({ path, headers }) =>
    path.endsWith('/token') || headers.authorization === `Bearer ${granted}`,
  refusal(why) {
    if (why === 'credentials')
      return refuse(401, 'InvalidAuthenticationToken', 'The access token is invalid.');
    if (why === 'rights')
      return refuse(403, 'AuthorizationFailed', 'The client does not have authorization.');
    if (why === 'haste') return refuse(429, 'TooManyRequests', 'The request is being throttled.');
    return refuse(500, 'InternalServerError', 'An unexpected error occurred.');
  },
  routes(world) {
    /** Metadata of sets, which other tools keep there. */
    const metadata = new Map<string, unknown>();
    const zones = `/subscriptions/${account.subscriptionId}/resourceGroups/${account.resourceGroup}/providers/Microsoft.Network/dnsZones`;
    const at = (method: string, path: string, run: (zone: string, request: Incoming) => Answer) => ({
      method,
      path: `${zones}/:zone${path}`,
      run: (request: Incoming) => inZone(world, request, run),
    });
    return [
      {
        method: 'POST',
        path: `/${account.tenantId}/oauth2/v2.0/token`,
        writes: () => false,
        run: ({ text }) => grant(new URLSearchParams(text)),
      },
      {
        method: 'GET',
        path: '/metadata/identity/oauth2/token',
        run: ({ headers }) => (headers.metadata === 'true' ? token('3599') : { status: 400, text: '' }),
      },
      at('GET', '', (zone) => ({
        status: 200,
        json: { id: `${zones}/${zone}`, name: zone, properties: {} },
      })),
      at('GET', '/TXT', (zone, request) => list(world, zone, request)),
      at('GET', '/TXT/:name', (zone, request) => show(world, nameOf(zone, request), { zone, metadata })),
      at('PUT', '/TXT/:name', (zone, request) => put(world, zone, { request, metadata })),
      at('DELETE', '/TXT/:name', (zone, request) => {
        const held = setAt(world, zone, nameOf(zone, request));
        if (held === undefined) return { status: 204 };
        if (request.headers['if-match'] !== etagOf(held)) return changed();
        world.writeTxt(zone, { ...held, values: [] });
        return { status: 200 };
      }),
    ];
  },
};

function grant(form: URLSearchParams): Answer {
  const bySecret = form.get('client_secret') === account.clientSecret;
  const byToken = form.get('client_assertion') === federatedToken;
  const good = form.get('client_id') === account.clientId && form.get('scope')?.endsWith('/.default');
  if (good && (bySecret || byToken)) return token(3599);
  const error_description = 'AADSTS7000215: Invalid client secret provided.';
  return { status: 401, json: { error: 'invalid_client', error_description, error_codes: [7_000_215] } };
}

function token(expires_in: number | string): Answer {
  return { status: 200, json: { token_type: 'Bearer', expires_in, access_token: granted } };
}

function inZone(world: World, request: Incoming, run: (zone: string, request: Incoming) => Answer): Answer {
  const zone = world.zones.find(({ name }) => name === request.params.zone);
  if (request.query.get('api-version') !== '2018-05-01') return refuse(400, 'InvalidApiVersionParameter', '');
  if (zone !== undefined) return run(zone.name, request);
  const message = `The Resource 'Microsoft.Network/dnszones/${request.params.zone}' was not found.`;
  return refuse(404, 'ResourceNotFound', message);
}

function list(world: World, zone: string, { query, path, headers }: Incoming): Answer {
  const size = world.pageSize ?? 100;
  const start = Number(query.get('$skipToken') ?? 0);
  const sets = world.txt(zone);
  const next = `http://${headers.host}${path}?api-version=2018-05-01&$skipToken=${start + size}`;
  return {
    status: 200,
    json: {
      value: sets.slice(start, start + size).map((set) => shown(set, zone)),
      ...(start + size < sets.length && { nextLink: next }),
    },
  };
}

function show(
  world: World,
  name: string,
  { zone, metadata }: { zone: string; metadata: Map<string, unknown> },
): Answer {
  const set = setAt(world, zone, name);
  if (set === undefined)
    return refuseItself(404, 'NotFound', `The resource record '${name}' does not exist in resource group.`);
  return { status: 200, json: shown(set, zone, metadata.get(name)) };
}

function put(
  world: World,
  zone: string,
  { request, metadata }: { request: Incoming; metadata: Map<string, unknown> },
): Answer {
  const name = nameOf(zone, request);
  const { TTL, TXTRecords, metadata: kept } = request.json.properties;
  const held = setAt(world, zone, name);
  const { 'if-match': match, 'if-none-match': none } = request.headers;
  if (none === '*' && held !== undefined) return changed();
  if (match !== undefined && (held === undefined || match !== etagOf(held))) return changed();
  const strings: readonly (readonly string[])[] = TXTRecords.map(({ value }: { value: string[] }) => value);
  const problem = world.problem(zone, { name, ttl: TTL });
  if (problem !== undefined) return refuseItself(400, 'BadRequest', problem);
  const values = strings.map((parts) => parts.join(''));
  if (strings.flat().some((part) => part.length > 255) || values.length > 20 || values.length === 0)
    return refuseItself(400, 'BadRequest', 'The record set is not valid.');
  if (new Set(values).size < values.length) return refuseItself(400, 'BadRequest', 'Duplicate records.');
  world.writeTxt(zone, { name, ttl: TTL, values });
  metadata.set(name, kept);
  const set = setAt(world, zone, name);
  return { status: held === undefined ? 201 : 200, json: set === undefined ? {} : shown(set, zone, kept) };
}

function shown(set: RrSet, zone: string, metadata?: unknown) {
  const { name, ttl, values } = set;
  const TXTRecords = values.map((value) => ({ value: value.match(/[\s\S]{1,255}/g) ?? [''] }));
  return {
    name: name === zone ? '@' : name.slice(0, -zone.length - 1),
    type: 'Microsoft.Network/dnszones/TXT',
    etag: etagOf(set),
    properties: { TTL: ttl, fqdn: `${name}.`, metadata, TXTRecords },
  };
}

function setAt(world: World, zone: string, name: string): RrSet | undefined {
  return world.txt(zone).find((set) => set.name === name);
}

function nameOf(zone: string, { params }: Incoming): string {
  return params.name === '@' ? zone : `${params.name}.${zone}`;
}

function etagOf({ ttl, values }: RrSet): string {
  return createHash('sha1')
    .update(JSON.stringify([ttl, values]))
    .digest('hex');
}

function changed(): Answer {
  return refuseItself(412, 'PreconditionFailed', 'The condition set in the request was not satisfied.');
}

/** Azure DNS. */
function refuseItself(status: number, code: string, message: string): Answer {
  return { status, json: { code, message } };
}

/** Azure Resource Manager, before it. */
function refuse(status: number, code: string, message: string): Answer {
  return { status, json: { error: { code, message } } };
}
