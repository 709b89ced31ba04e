import type { AcmeAccountRecord } from '../core/ports.ts';
import { type OpenAccount, openAccount } from './account.ts';
import type { AccountNeeds } from './account-record.ts';
import type { AcmeApi } from './library.ts';
import { problemType } from './problem.ts';

export type Call = <T>(signal: AbortSignal, run: (api: AcmeApi) => Promise<T>) => Promise<T>;

/** What a CA says to a signature that is not of the account's key, and to one of an account that is closed. */
const refusals: ReadonlySet<string | undefined> = new Set([
  'unauthorized',
  'malformed',
  'badSignatureAlgorithm',
]);

/** It may also refuse for other reasons, over and over. */
const askedAnewMs = 60 * 60 * 1000;

/**
 * Calls as the account. When the CA refuses a signature, the record is read again: another agent may have changed the
 * key, or closed the account. When the CA has forgotten the account, it is registered again. The call is then repeated
 * once; `run` must not rest on the key as it was.
 */
export async function openCaller(
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<{ readonly account: () => OpenAccount; readonly call: Call }> {
  let account = await openAccount(needs, undefined, signal);
  let askedAt = Number.NEGATIVE_INFINITY;

  /** The account as it is now, if that is another one than was used; undefined: the refusal stands. */
  async function other(
    used: OpenAccount,
    error: unknown,
    abort: AbortSignal,
  ): Promise<OpenAccount | undefined> {
    const type = problemType(error);
    const isForgotten = type === 'accountDoesNotExist';
    if (!isForgotten && !refusals.has(type)) return undefined;
    if (account !== used) return account;
    const isStale = !isForgotten && !isSame(await needs.accounts.get(needs.issuer), used);
    const now = needs.clock.now();
    const isDoubtful = type === 'unauthorized' || isAboutSignature(error);
    const mayAsk = isDoubtful && Math.abs(now - askedAt) >= askedAnewMs;
    if (!isForgotten && !isStale && !mayAsk) return undefined;
    if (!isStale) askedAt = now;
    if (isForgotten)
      needs.log.warn(
        { issuer: needs.issuer, account: used.url },
        'the CA does not know the account any more',
      );
    const next = await openAccount(needs, isStale ? undefined : used.url, abort);
    if (!isForgotten && isSameAccount(next, used)) return undefined;
    account = next;
    return next;
  }

  return {
    account: () => account,
    async call(abort, run) {
      const used = account;
      try {
        return await run(used.client.api(abort));
      } catch (error) {
        const next = await other(used, error, abort);
        if (next === undefined) throw error;
        return run(next.client.api(abort));
      }
    },
  };
}

/** A key that the CA does not take for the account's, though it is in the store: as after the restore of an old backup. */
function isAboutSignature(error: unknown): boolean {
  return error instanceof Error && /jws|signature|verif/i.test(error.message);
}

function isSame(record: AcmeAccountRecord | undefined, used: OpenAccount): boolean {
  if (record?.url === undefined || record.nextKey !== undefined || record.deactivatedAt !== undefined)
    return false;
  return isSameAccount({ url: record.url, keyDer: record.key }, used);
}

function isSameAccount(
  a: Pick<OpenAccount, 'url' | 'keyDer'>,
  b: Pick<OpenAccount, 'url' | 'keyDer'>,
): boolean {
  return a.url === b.url && Buffer.compare(a.keyDer.reveal(), b.keyDer.reveal()) === 0;
}
