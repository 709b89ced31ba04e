import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { canary } from '../canaries.ts';
import type { Answer } from '../vendors/server.ts';
import { startTargetServer, type TargetServer } from './server.ts';

export interface HeldSecret {
  readonly type: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data: Readonly<Record<string, string>>;
  readonly immutable?: boolean | undefined;
}

export interface Cluster {
  readonly server: TargetServer;
  readonly token: { current: string };
  /** By name, of the one namespace `edge`. */
  readonly secrets: Map<string, HeldSecret>;
  /** What the account may do with them. */
  readonly verbs: Set<string>;
  /** Somebody else writes a secret. */
  put(
    name: string,
    given: Partial<Pick<HeldSecret, 'type' | 'data' | 'immutable'>> & {
      readonly labels?: Record<string, string>;
    },
  ): void;
}

/**
 * Secrets of one namespace, with versions, preconditions and refusals as the API has them:
 * https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/ and
 * https://kubernetes.io/docs/reference/using-api/api-concepts/ (resource versions).
 */
export async function startCluster(tls?: { readonly cert: string; readonly key: string }): Promise<Cluster> {
  const token = { current: canary() };
  const secrets = new Map<string, HeldSecret>();
  const verbs = new Set(['get', 'create', 'update', 'delete']);
  let version = 1000;
  const all = '/api/v1/namespaces/edge/secrets';
  const one = `${all}/:name`;

  // biome-ignore lint/suspicious/noExplicitAny: what a client sent
  function store(json: any, uid: string): Answer {
    const problem = problemWith(json);
    if (problem !== undefined) return status(422, 'Invalid', problem);
    version += 1;
    const metadata = { ...json.metadata, uid, resourceVersion: String(version) };
    secrets.set(metadata.name, { type: json.type, metadata, data: json.data });
    return { status: 200, json: { kind: 'Secret', apiVersion: 'v1', ...secrets.get(metadata.name) } };
  }

  const missing = (name = '') => status(404, 'NotFound', `secrets "${name}" not found`);
  const changed = (name = '') => status(409, 'Conflict', `the object ${name} has been modified`);

  const server = await startTargetServer({
    tls,
    isAuthorized: ({ headers }) => headers.authorization === `Bearer ${token.current}`,
    routes: [
      {
        method: 'GET',
        path: one,
        run({ params: { name = '' } }) {
          const found = secrets.get(name);
          return found === undefined ? missing(name) : { status: 200, json: { kind: 'Secret', ...found } };
        },
      },
      {
        method: 'POST',
        path: all,
        run({ json }) {
          const { name, resourceVersion } = json.metadata;
          if (secrets.has(name)) return status(409, 'AlreadyExists', `secrets "${name}" already exists`);
          if (resourceVersion !== undefined)
            return status(500, '', 'resourceVersion should not be set on objects to be created');
          return store(json, randomUUID());
        },
      },
      {
        method: 'PUT',
        path: one,
        run({ params: { name = '' }, json }) {
          const before = secrets.get(name);
          if (before === undefined) return missing(name);
          if (json.metadata.resourceVersion !== before.metadata.resourceVersion) return changed(name);
          if (json.type !== before.type) return status(422, 'Invalid', 'type: field is immutable');
          if (before.immutable === true)
            return status(422, 'Invalid', 'data: field is immutable when `immutable` is set');
          return store(json, before.metadata.uid);
        },
      },
      {
        method: 'DELETE',
        path: one,
        run({ params: { name = '' }, json }) {
          const before = secrets.get(name);
          if (before === undefined) return missing(name);
          const { uid, resourceVersion } = json?.preconditions ?? {};
          const { metadata } = before;
          if (uid !== metadata.uid || resourceVersion !== metadata.resourceVersion) return changed(name);
          secrets.delete(name);
          return status(200, '', '');
        },
      },
      {
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        run({ json }) {
          const { namespace, verb, resource } = json.spec.resourceAttributes;
          const allowed = namespace === 'edge' && resource === 'secrets' && verbs.has(verb);
          return { status: 201, json: { ...json, status: { allowed } } };
        },
      },
    ],
  });

  return {
    server,
    token,
    secrets,
    verbs,
    put(name, { type = 'kubernetes.io/tls', data = {}, labels = {}, immutable }) {
      version += 1;
      const uid = secrets.get(name)?.metadata.uid ?? randomUUID();
      secrets.set(name, {
        type,
        data,
        immutable,
        metadata: { name, uid, labels, resourceVersion: String(version) },
      });
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what a client sent
function problemWith({ metadata, type, data }: any): string | undefined {
  const part = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
  if (!new RegExp(`^${part}(\\.${part})*$`).test(metadata.name) || metadata.name.length > 253)
    return 'metadata.name: must be a lowercase RFC 1123 subdomain';
  for (const value of Object.values<string>(metadata.labels ?? {}))
    if (!/^([A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value))
      return 'metadata.labels: invalid value';
  if (type !== 'kubernetes.io/tls') return undefined;
  const [cert = '', key = ''] = ['tls.crt', 'tls.key'].map((name) => Buffer.from(data[name] ?? '', 'base64'));
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return undefined;
  } catch {}
  return 'data: no certificate with its key';
}

function status(code: number, reason: string, message: string): Answer {
  return { status: code, json: { kind: 'Status', apiVersion: 'v1', reason, message, code } };
}
