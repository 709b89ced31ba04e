import { AgentError, isAgentError } from '../core/errors.ts';
import type { AcmeAccountRecord } from '../core/ports.ts';
import { generateKey, loadKey } from '../x509/key.ts';
import { type AccountNeeds, clientOf, withAccountLock } from './account-record.ts';
import { find } from './registration.ts';

/** A record on its way from `key` to `nextKey`. */
type Rolling = AcmeAccountRecord & { readonly nextKey: AcmeAccountRecord['key'] };

/**
 * Gives the account a new key. Both keys are in the store from before the CA hears of the new one until it has
 * confirmed it, so that after a crash at any point one of them is the account's; `settleKeys` finds which.
 */
export function rollover(needs: AccountNeeds, signal: AbortSignal): Promise<AcmeAccountRecord> {
  return withAccountLock(needs, signal, async (held) => {
    const record = await existing(needs);
    if (record.deactivatedAt !== undefined)
      throw new AgentError(
        'command.conflict',
        `the account at ${needs.issuer} is deactivated: it has no use for a key`,
      );
    if (isRolling(record)) return finish(record, needs, held);
    const rolling = { ...record, nextKey: await generateKey('p256') };
    await needs.accounts.put(rolling);
    return change(rolling, needs, held);
  });
}

/** Closes the account at the CA, then in the store. */
export function deactivate(needs: AccountNeeds, signal: AbortSignal): Promise<AcmeAccountRecord> {
  return withAccountLock(needs, signal, async (held) => {
    const { issuer, accounts, clock, log } = needs;
    const stored = await existing(needs);
    if (stored.deactivatedAt !== undefined) return stored;
    const record = await settleKeys(stored, needs, held);
    const client = clientOf(record, needs);
    await client
      .api(held)
      .updateAccount({ status: 'deactivated' })
      .catch(async (error: unknown) => {
        // A run that was killed may have done so; a closed account can sign nothing any more.
        if (held.aborted || (await find(client, held)) !== 'closed') throw error;
      });
    const gone = { ...record, nextKey: undefined, deactivatedAt: clock.now() };
    await accounts.put(gone);
    log.info({ issuer, account: record.url }, 'deactivated the ACME account');
    return gone;
  });
}

/** Ends a change of key that was begun and not seen to end; while the CA cannot say, the old key is used and both stay. */
export async function settleKeys(
  record: AcmeAccountRecord,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<AcmeAccountRecord> {
  if (!isRolling(record)) return record;
  try {
    return await finish(record, needs, signal);
  } catch (err) {
    signal.throwIfAborted();
    needs.log.warn({ issuer: needs.issuer, err }, 'the new key of the ACME account was not taken');
    return (await needs.accounts.get(needs.issuer)) ?? record;
  }
}

async function existing({ accounts, issuer, directoryUrl }: AccountNeeds): Promise<AcmeAccountRecord> {
  const record = await accounts.get(issuer);
  if (record?.url !== undefined && record.directoryUrl === directoryUrl) return record;
  throw new AgentError('command.conflict', `there is no account at ${issuer} yet; the first order opens one`);
}

function isRolling(record: AcmeAccountRecord): record is Rolling {
  return record.nextKey !== undefined && record.url !== undefined;
}

async function finish(record: Rolling, needs: AccountNeeds, signal: AbortSignal): Promise<AcmeAccountRecord> {
  return (await isKnown(record, needs, signal)) ? confirm(record, needs) : change(record, needs, signal);
}

async function change(record: Rolling, needs: AccountNeeds, signal: AbortSignal): Promise<AcmeAccountRecord> {
  try {
    await clientOf(record, needs).changeKey(loadKey(record.nextKey), signal);
  } catch (error) {
    // Without the CA's verdict it may have taken the key all the same, now or when the request arrives at last.
    if (signal.aborted || !isVerdict(error)) throw error;
    if (!(await isKnown(record, needs, signal))) {
      await needs.accounts.put({ ...record, nextKey: undefined });
      throw error;
    }
  }
  return confirm(record, needs);
}

/** Also what a CA says that took an earlier try whose answer was lost: by then the old key signs nothing. */
function isVerdict(error: unknown): boolean {
  if (isAgentError(error, 'command.conflict')) return true;
  if (!isAgentError(error)) return false;
  const { status } = error.facts;
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 429;
}

async function isKnown(
  { nextKey, ...record }: Rolling,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<boolean> {
  const finding = await find(clientOf({ ...record, key: nextKey }, needs), signal);
  return finding === 'closed' || (finding !== 'unknown' && finding.url === record.url);
}

async function confirm({ nextKey, ...record }: Rolling, needs: AccountNeeds): Promise<AcmeAccountRecord> {
  const { issuer, accounts, clock, log } = needs;
  const rolled = { ...record, key: nextKey, rolledAt: clock.now() };
  await accounts.put(rolled);
  log.info({ issuer, account: record.url }, 'the ACME account has a new key');
  return rolled;
}
