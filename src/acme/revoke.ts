import { AgentError, type ErrorCode } from '../core/errors.ts';
import type { RevocationRequest } from '../core/ports.ts';
import type { RevocationReason } from '../core/types.ts';
import { loadKey } from '../x509/key.ts';
import { createClient } from './client.ts';
import type { AcmeApi } from './library.ts';
import { problemType } from './problem.ts';
import type { OpenSession, SessionNeeds } from './session.ts';

export interface RevokeNeeds {
  readonly needs: SessionNeeds;
  readonly session: () => Promise<Pick<OpenSession, 'call'>>;
}

/** RFC 5280 §5.3.1 CRLReason. */
const numbers: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  superseded: 4,
  cessationOfOperation: 5,
};

/** Refusals of the account, not of the revocation: it has another one's certificate, or is none any more. */
const aboutAccount: readonly ErrorCode[] = ['acme.account', 'acme.externalAccount', 'acme.userAction'];

/**
 * RFC 8555 §7.6. The account comes first: some CAs take every revocation that the certificate's key signs for one of a
 * compromised key, whatever reason is given.
 */
export async function revoke(
  { needs, session }: RevokeNeeds,
  request: RevocationRequest,
  signal: AbortSignal,
): Promise<void> {
  const send = async (api: AcmeApi, includeJwsKid: boolean) => {
    const { revokeCert } = (await needs.directory.get(signal)).resources;
    await post(api, { url: revokeCert, issuer: needs.issuer, includeJwsKid }, request);
  };
  try {
    const { call } = await session();
    await call(signal, (api) => send(api, true));
  } catch (error) {
    const isAboutAccount = error instanceof AgentError && aboutAccount.includes(error.code);
    const key = isAboutAccount ? await request.key() : undefined;
    if (key === undefined) throw error;
    needs.log.info({ issuer: needs.issuer, err: error }, 'revoking by the key of the certificate');
    await send(createClient(loadKey(key), needs).api(signal), false);
  }
}

/** A certificate that is revoked already, maybe by a call whose answer got lost, counts as done. */
async function post(
  api: AcmeApi,
  { url, issuer, includeJwsKid }: { url: string | undefined; issuer: string; includeJwsKid: boolean },
  { leafDer, reason }: RevocationRequest,
): Promise<void> {
  if (url === undefined)
    throw new AgentError('acme.response', `the directory of ${issuer} names no place to revoke at`);
  const certificate = Buffer.from(leafDer).toString('base64url');
  try {
    await api.apiRequest(url, { certificate, reason: numbers[reason] }, [], { includeJwsKid });
  } catch (error) {
    if (problemType(error) !== 'alreadyRevoked') throw error;
  }
}
