import { createPrivateKey, X509Certificate } from 'node:crypto';
import { canary } from '../canaries.ts';
import type { Answer } from '../vendors/server.ts';
import { startTargetServer, type TargetServer } from './server.ts';

interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly cert_alt: string | null;
  readonly key_alt: string | null;
  readonly tags: readonly string[];
}

export interface KongServer {
  readonly server: TargetServer;
  readonly token: string;
  readonly certificates: Map<string, Certificate>;
  /** Id of the certificate by name. */
  readonly snis: Map<string, string>;
  /** As GET / tells it. */
  database: 'postgres' | 'off';
  /** The certificate is taken, then its SNIs fail: Kong does not take both in one transaction. */
  breaksAtSnis: boolean;
  /** What Kong serves a client of this kind for a name (kong/runloop/certificate.lua). */
  served(name: string, keyClass: 'ec' | 'rsa'): { readonly cert: string; readonly key: string } | undefined;
}

/**
 * Certificates and SNIs of the Admin API of Kong 3, with its refusals: https://developer.konghq.com/api/gateway/admin-ee,
 * kong/db/dao/certificates.lua and spec/02-integration/04-admin_api/06-certificates_routes_spec.lua.
 */
export async function startKong(): Promise<KongServer> {
  const token = canary();
  const certificates = new Map<string, Certificate>();
  const snis = new Map<string, string>();

  function shown(id: string): Answer {
    const certificate = certificates.get(id);
    if (certificate === undefined) return { status: 404, json: { message: 'Not found' } };
    const own = [...snis].flatMap(([name, of]) => (of === id ? [name] : []));
    return { status: 200, json: { id, ...certificate, snis: own } };
  }

  const server = await startTargetServer({
    isAuthorized: ({ headers }) => headers['kong-admin-token'] === token,
    routes: [
      {
        method: 'GET',
        path: '/',
        run: () => ({ status: 200, json: { version: '3.9.0', configuration: { database: kong.database } } }),
      },
      {
        method: 'GET',
        path: '/certificates',
        run: () => ({ status: 200, json: { data: [...certificates.keys()], next: null } }),
      },
      { method: 'GET', path: '/certificates/:id', run: ({ params }) => shown(params.id ?? '') },
      {
        method: 'PUT',
        path: '/certificates/:id',
        run({ params: { id = '' }, json }) {
          const problem = problemWith(id, json, snis);
          if (problem !== undefined)
            return {
              status: 400,
              json: { name: 'schema violation', message: `schema violation (${problem})` },
            };
          if (kong.database === 'off')
            return {
              status: 405,
              json: { message: "cannot create or update 'certificates' entities when not using a database" },
            };
          const { snis: names = [], ...certificate } = json;
          certificates.set(id, certificate);
          if (kong.breaksAtSnis) return { status: 500, json: { message: 'An unexpected error occurred' } };
          for (const [name, of] of snis) if (of === id) snis.delete(name);
          for (const name of names) snis.set(name, id);
          return shown(id);
        },
      },
      {
        method: 'DELETE',
        path: '/certificates/:id',
        run({ params: { id = '' } }) {
          certificates.delete(id);
          for (const [name, of] of snis) if (of === id) snis.delete(name);
          return { status: 204, text: '' };
        },
      },
    ],
  });

  const kong: KongServer = {
    server,
    token,
    certificates,
    snis,
    database: 'postgres',
    breaksAtSnis: false,
    served(name, keyClass) {
      const labels = name.split('.');
      const wildcard = labels.length >= 3 ? ['*', ...labels.slice(1)].join('.') : '';
      const found = certificates.get(snis.get(name) ?? snis.get(wildcard) ?? '');
      if (found === undefined) return undefined;
      const { cert, key, cert_alt, key_alt } = found;
      const parts = [{ cert, key }, ...(cert_alt && key_alt ? [{ cert: cert_alt, key: key_alt }] : [])];
      return parts.find((part) => typeOf(part.cert) === keyClass);
    },
  };
  return kong;
}

// biome-ignore lint/suspicious/noExplicitAny: what a client sent
function problemWith(id: string, json: any, snis: ReadonlyMap<string, string>): string | undefined {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return 'id: expected a valid UUID';
  if (!json?.cert || !json?.key) return 'cert: required field missing';
  if (!matches(json.cert, json.key)) return 'certificate does not match key';
  const { cert_alt: cert, key_alt: key, snis: names = [], tags = [] } = json;
  if ((cert === null) !== (key === null)) return 'all or none of these fields must be set: cert_alt, key_alt';
  if (cert !== null && !matches(cert, key)) return 'alternative certificate does not match key';
  if (cert !== null && typeOf(cert) === typeOf(json.cert))
    return 'certificate and alternative certificate need to have different type';
  for (const [at, name] of names.entries()) {
    if (names.indexOf(name) !== at) return `snis: ${name} is duplicated`;
    if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || /^[\d.]+$/.test(name))
      return `snis: invalid ${name}`;
    const other = snis.get(name);
    if (other !== undefined && other !== id)
      return `snis: ${name} already associated with existing certificate '${other}'`;
  }
  return tags.some((tag: string) => /[,/]/.test(tag)) ? 'tags: invalid tag' : undefined;
}

function matches(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function typeOf(cert: string): 'ec' | 'rsa' {
  return new X509Certificate(cert).publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
}
