import { createPrivateKey, createSign } from 'node:crypto';
import { z } from 'zod';
import { type Secret, secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { createSession, type Opened } from '../src/plugin/session.ts';
import { createVendorApi } from '../src/plugin/vendor-api.ts';

export interface TokenSource {
  open(signal: AbortSignal): Promise<Opened<Secret<string>>>;
  /** The project of the service account. */
  project(signal: AbortSignal): Promise<string>;
}

interface TokenOptions {
  readonly serviceAccountKey?: Secret<string> | undefined;
  readonly metadataUrl: string;
}

const scope = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite';
const lifetimeSeconds = 3600;
/** A token is not used in the last moments of its life. */
const marginSeconds = 120;

const serviceAccountKey = z.object({
  type: z.literal('service_account'),
  project_id: z.string(),
  private_key_id: z.string().optional(),
  private_key: z.string().includes('PRIVATE KEY'),
  client_email: z.string(),
  token_uri: z.url().default('https://oauth2.googleapis.com/token'),
});
const token = z.object({ access_token: z.string(), expires_in: z.number() });

export function isServiceAccountKey(text: string): boolean {
  return parseKey(text) !== undefined;
}

/** Access tokens of a service account: by its key (RFC 7523), or by the metadata server of a machine at Google. */
export function createTokenSource(options: TokenOptions, context: PluginContext): TokenSource {
  const key =
    options.serviceAccountKey === undefined ? undefined : parseKey(options.serviceAccountKey.reveal());
  return key === undefined ? byMetadata(options.metadataUrl, context) : byKey(key, context);
}

function byKey(key: z.infer<typeof serviceAccountKey>, context: PluginContext): TokenSource {
  const api = createVendorApi(
    {
      vendor: 'Google',
      baseUrl: key.token_uri,
      // invalid_grant and the like come with 400.
      fault: ({ status }) => (status === 400 ? { code: 'provider.auth' } : undefined),
      remedies: { 'provider.auth': 'check the service account key and the clock of this machine' },
    },
    context,
  );
  return {
    async open(signal) {
      const assertion = sign(key, context.clock.now());
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: assertion.reveal(),
      };
      const doing = `an access token to ${key.client_email}`;
      const request = { doing, path: '', form, secrets: [assertion] };
      return opened(await api.read(token, request, signal), context);
    },
    project: () => Promise.resolve(key.project_id),
  };
}

function byMetadata(baseUrl: string, context: PluginContext): TokenSource {
  const api = createVendorApi({ vendor: 'The metadata server', baseUrl }, context);
  const headers = { 'metadata-flavor': 'Google' };
  const project = createSession(async (signal) => {
    const request = { doing: 'to tell the project of this machine', path: '/project/project-id', headers };
    const { text } = await api.send(request, signal);
    return { value: text.trim(), goodUntil: Number.POSITIVE_INFINITY };
  }, context.clock);
  return {
    async open(signal) {
      const path = '/instance/service-accounts/default/token';
      const doing = 'an access token of the service account of this machine';
      return opened(await api.read(token, { doing, path, headers }, signal), context);
    },
    project: project.get,
  };
}

function opened(
  { access_token, expires_in }: z.infer<typeof token>,
  { clock }: Pick<PluginContext, 'clock'>,
): Opened<Secret<string>> {
  return {
    value: secret(access_token),
    goodUntil: clock.now() + (expires_in - marginSeconds) * 1000,
  };
}

/** A JWT signed with RS256, as RFC 7523 §3 has it. */
function sign(key: z.infer<typeof serviceAccountKey>, now: number): Secret<string> {
  const issuedAt = Math.floor(now / 1000);
  const header = { alg: 'RS256', typ: 'JWT', kid: key.private_key_id };
  const claims = {
    iss: key.client_email,
    scope,
    aud: key.token_uri,
    iat: issuedAt,
    exp: issuedAt + lifetimeSeconds,
  };
  const content = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = createSign('RSA-SHA256').update(content).sign(key.private_key, 'base64url');
  return secret(`${content}.${signature}`);
}

function parseKey(text: string): z.infer<typeof serviceAccountKey> | undefined {
  try {
    const key = serviceAccountKey.parse(JSON.parse(text));
    createPrivateKey(key.private_key);
    return key;
  } catch {
    return undefined;
  }
}
