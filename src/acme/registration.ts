import { AgentError } from '../core/errors.ts';
import type { AcmeAccountRecord } from '../core/ports.ts';
import type { AccountNeeds } from './account-record.ts';
import type { AccountClient } from './client.ts';
import { isRecord } from './document.ts';
import { problemType } from './problem.ts';

/** What a CA says of a key: the URL of its account, or that the account is closed, or that it knows none. */
export type Finding = { readonly url: string } | 'closed' | 'unknown';

/** RFC 8555 §7.3.1. */
export async function find(client: AccountClient, signal: AbortSignal): Promise<Finding> {
  try {
    const { headers, data } = await client.api(signal).createAccount({ onlyReturnExisting: true });
    const status = isRecord(data) ? data.status : undefined;
    if (status === 'deactivated' || status === 'revoked') return 'closed';
    return { url: locationOf(headers.location) };
  } catch (error) {
    const type = problemType(error);
    if (type === 'accountDoesNotExist') return 'unknown';
    // RFC 8555 §7.3.6: whatever a closed account signs is "unauthorized".
    if (type === 'unauthorized') return 'closed';
    throw error;
  }
}

/** Resolves with the URL of the new account, bound to the customer where the file says so (RFC 8555 §7.3, §7.3.4). */
export async function register(
  client: AccountClient,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<string> {
  const { externalAccountRequired } = await needs.directory.get(signal);
  if (externalAccountRequired && !needs.eab) {
    throw new AgentError(
      'acme.externalAccount',
      `${needs.issuer} only takes accounts that are bound to a customer, and no key for that is configured`,
      { facts: { issuer: needs.issuer } },
    );
  }
  const answer = await client.api(signal).createAccount({
    termsOfServiceAgreed: true,
    ...(needs.contacts.length === 0 ? {} : { contact: needs.contacts }),
  });
  return locationOf(answer.headers.location);
}

/** A refusal is not worth a certificate: the addresses are sent again at the next start. Returns what the CA has now. */
export async function sendContacts(
  { client, record }: { readonly client: AccountClient; readonly record: AcmeAccountRecord },
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (sameContacts(record.contacts, needs.contacts)) return record.contacts;
  try {
    await client.api(signal).updateAccount({ contact: needs.contacts });
    return needs.contacts;
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    needs.log.warn(
      { issuer: needs.issuer, error: message },
      'the CA did not take the contacts of the account',
    );
    return record.contacts;
  }
}

export function sameContacts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');
}

function locationOf(location: string | undefined): string {
  if (location !== undefined) return location;
  throw new AgentError('acme.response', 'the CA answered newAccount without the URL of the account');
}
