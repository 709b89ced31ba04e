import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import type { PluginContext } from '../plugin/context.ts';
import { secretText } from '../plugin/fields.ts';
import { type AdminApi, createAdminApi } from './admin-api.ts';
import { guarded } from './fault.ts';

/** What Kubernetes gives each pod for its service account. */
const podFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const path = (what: string) =>
  z.string().startsWith('/', 'must be an absolute path').optional().describe(what);

export const accessFields = {
  server: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'URL of the API; default: that of the cluster in which the agent runs. Keys go over it: http to this machine only.',
    ),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a name such as ingress')
    .optional()
    .describe('Where the secrets are; default: that of the pod.'),
  caFile: path(
    'PEM of the roots of the API, read anew for each request; default with "server": the usual ones.',
  ),
  token: secretText().optional().describe('Bearer token of a service account.'),
  tokenFile: path('File with that token, read anew for each request; default: that of the pod.'),
};

interface AccessOptions {
  readonly server?: string | undefined;
  readonly namespace?: string | undefined;
  readonly caFile?: string | undefined;
  readonly token?: z.infer<ReturnType<typeof secretText>> | undefined;
  readonly tokenFile?: string | undefined;
}

export const advice =
  'Check server, CA and token, and that the role of the service account lets it get, create, update and delete secrets.';

export interface KubernetesApi extends AdminApi {
  namespace(): Promise<string>;
}

/** Requests with what Kubernetes rotates read anew each time: the token of a pod lives for an hour. */
export function createKubernetesApi(options: AccessOptions, context: PluginContext): KubernetesApi {
  const { server, namespace, token } = options;
  const caFile = options.caFile ?? (server === undefined ? join(podFolder, 'ca.crt') : undefined);
  const tokenFile = options.tokenFile ?? join(podFolder, 'token');
  const api = createAdminApi(
    {
      vendor: 'Kubernetes',
      baseUrl: server ?? 'https://kubernetes.default.svc',
      advice,
      trustPem: async () => (caFile === undefined ? undefined : read(caFile)),
      auth: async () => ({
        authorization: `Bearer ${token === undefined ? (await read(tokenFile)).trim() : token.reveal()}`,
      }),
    },
    context,
  );
  return {
    ...api,
    namespace: async () => namespace ?? (await read(join(podFolder, 'namespace'))).trim(),
  };
}

async function read(file: string): Promise<string> {
  const text = await guarded(file, () => readFile(file, 'utf8'));
  if (text.trim() !== '') return text;
  throw new AgentError('deploy.target', `${file} is empty`, { advice });
}
