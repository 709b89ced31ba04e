import { accountLock, accountLockMs } from '../core/account.ts';
import type { AcmeAccountRecord, Ports } from '../core/ports.ts';
import { loadKey } from '../x509/key.ts';
import { type AccountClient, createClient } from './client.ts';
import type { ClientNeeds } from './signed-request.ts';

export interface AccountNeeds extends Pick<Ports, 'accounts' | 'locks' | 'log'>, ClientNeeds {
  readonly directoryUrl: string;
  /** `mailto:` URLs. */
  readonly contacts: readonly string[];
  /** A new account takes the place of one that was closed. */
  readonly replaceDeactivated: boolean;
}

/** Whoever changes the record of an account, or asks the CA to, holds this. */
export async function withAccountLock<T>(
  { locks, issuer }: Pick<AccountNeeds, 'locks' | 'issuer'>,
  signal: AbortSignal,
  work: (held: AbortSignal) => Promise<T>,
): Promise<T> {
  const lock = await locks.acquire(accountLock(issuer), accountLockMs, signal);
  try {
    return await work(AbortSignal.any([signal, lock.signal]));
  } finally {
    await lock.release();
  }
}

/** The client that signs as this account does. */
export function clientOf(record: AcmeAccountRecord, needs: ClientNeeds): AccountClient {
  const client = createClient(loadKey(record.key), needs);
  if (record.url !== undefined) client.setAccountUrl(record.url);
  return client;
}
