import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AgentError } from '../src/core/errors.ts';
import { type Secret, secret } from '../src/core/secret.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import type { Opened } from '../src/plugin/session.ts';
import { createVendorApi, type VendorAnswer, type VendorFault } from '../src/plugin/vendor-api.ts';

export interface AzureIdentity {
  readonly tenantId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: Secret<string> | undefined;
  readonly federatedTokenFile?: string | undefined;
  readonly baseUrl: string;
  readonly loginUrl: string;
  readonly metadataUrl: string;
}

/** Fields of the form that prove who asks. */
type Proofs = Readonly<Record<string, Secret<string>>>;

export type OpenToken = (signal: AbortSignal) => Promise<Opened<Secret<string>>>;

const token = z.object({ access_token: z.string(), expires_in: z.coerce.number() });

/** A token is not used in the last moments of its life. */
const marginSeconds = 120;
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Access tokens of Microsoft Entra: for a client secret, for the token of a workload, or of the machine itself. */
export function createOpenToken(identity: AzureIdentity, context: PluginContext): OpenToken {
  const { tenantId, clientSecret, federatedTokenFile } = identity;
  if (tenantId === undefined) return byMachine(identity, context);
  return byClient(identity, context, async (): Promise<Proofs> => {
    if (clientSecret !== undefined) return { client_secret: clientSecret };
    return { client_assertion: await readToken(federatedTokenFile ?? '') };
  });
}

function byClient(
  { tenantId = '', clientId = '', baseUrl, loginUrl }: AzureIdentity,
  context: PluginContext,
  proof: () => Promise<Proofs>,
): OpenToken {
  const api = createVendorApi({ vendor: 'Microsoft Entra', baseUrl: loginUrl, fault }, context);
  return async (signal) => {
    const proofs = await proof();
    const form = {
      grant_type: 'client_credentials',
      client_id: clientId,
      scope: `${baseUrl}/.default`,
      ...('client_assertion' in proofs && { client_assertion_type: assertionType }),
      ...Object.fromEntries(Object.entries(proofs).map(([key, value]) => [key, value.reveal()])),
    };
    const path = `/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`;
    const doing = `an access token to the application ${clientId}`;
    const request = { doing, path, form, secrets: Object.values(proofs) };
    return opened(await api.read(token, request, signal), context);
  };
}

function byMachine({ clientId, baseUrl, metadataUrl }: AzureIdentity, context: PluginContext): OpenToken {
  const vendor = 'The instance metadata service';
  const api = createVendorApi({ vendor, baseUrl: metadataUrl, fault }, context);
  return async (signal) => {
    const query = { 'api-version': '2018-02-01', resource: `${baseUrl}/`, client_id: clientId };
    const doing = 'an access token of the managed identity';
    const headers = { metadata: 'true' };
    return opened(
      await api.read(token, { doing, path: '/identity/oauth2/token', query, headers }, signal),
      context,
    );
  };
}

/** invalid_client, unauthorized_client, an identity that the machine does not have: they come with 400 as well. */
function fault({ status }: VendorAnswer): VendorFault | undefined {
  return status === 400 ? { code: 'provider.auth' } : undefined;
}

/** Anew each time: it is replaced there before it ends. */
async function readToken(path: string): Promise<Secret<string>> {
  try {
    return secret((await readFile(path, 'utf8')).trim());
  } catch (cause) {
    throw new AgentError('provider.auth', `the federated token ${path} cannot be read`, { cause });
  }
}

function opened(
  { access_token, expires_in }: z.infer<typeof token>,
  { clock }: Pick<PluginContext, 'clock'>,
): Opened<Secret<string>> {
  return { value: secret(access_token), goodUntil: clock.now() + (expires_in - marginSeconds) * 1000 };
}
