import { AgentError } from '../core/errors.ts';
import type { RevocationReason } from '../core/types.ts';
import type { AcmeApi } from './library.ts';
import { problemType } from './problem.ts';

/** RFC 5280 §5.3.1 CRLReason. */
const numbers: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  superseded: 4,
  cessationOfOperation: 5,
};

/** RFC 8555 §7.6; a certificate that is revoked already, maybe by a call whose answer got lost, counts as done. */
export async function revoke(
  api: AcmeApi,
  { url, issuer }: { readonly url: string | undefined; readonly issuer: string },
  { leafDer, reason }: { readonly leafDer: Uint8Array; readonly reason: RevocationReason },
): Promise<void> {
  if (url === undefined)
    throw new AgentError('acme.response', `the directory of ${issuer} names no place to revoke at`);
  const certificate = Buffer.from(leafDer).toString('base64url');
  try {
    await api.apiRequest(url, { certificate, reason: numbers[reason] });
  } catch (error) {
    if (problemType(error) !== 'alreadyRevoked') throw error;
  }
}
