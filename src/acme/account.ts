import { AgentError } from '../core/errors.ts';
import type { AcmeAccountRecord } from '../core/ports.ts';
import { generateKey } from '../x509/key.ts';
import { type AccountNeeds, clientOf, withAccountLock } from './account-record.ts';
import type { AccountClient } from './client.ts';
import { find, register, sameContacts, sendContacts } from './registration.ts';
import { settleKeys } from './rollover.ts';

/** A CA that forgets an account again and again gets it so often and not more. */
const reregisterMs = 24 * 60 * 60 * 1000;

/** The account of one issuer, ready to sign. */
export interface OpenAccount {
  readonly url: string;
  readonly client: AccountClient;
  /** What a challenge's token is joined with (RFC 8555 §8.1). */
  readonly keyDer: AcmeAccountRecord['key'];
}

type Complete = AcmeAccountRecord & { readonly url: string };

/**
 * The stored account, else the one that the CA knows by the stored key, else a new one. The key is stored durably before
 * the CA hears of it, so that a crash leaves no account without a key. One process at a time registers. `doubtful`: URL
 * of an account that the CA does not know or will not serve any more; the CA is asked what it knows of the key.
 */
export async function openAccount(
  needs: AccountNeeds,
  doubtful: string | undefined,
  signal: AbortSignal,
): Promise<OpenAccount> {
  const stored = await needs.accounts.get(needs.issuer);
  if (isComplete(stored, needs, doubtful)) return opened(stored, needs);
  return withAccountLock(needs, signal, async (held) => {
    const record = await needs.accounts.get(needs.issuer);
    if (isComplete(record, needs, doubtful)) return opened(record, needs);
    if (record?.deactivatedAt !== undefined && record.directoryUrl === needs.directoryUrl)
      return opened(await replaced(record, needs, held), needs);
    const isNew = record?.directoryUrl !== needs.directoryUrl;
    const keyed = record === undefined || isNew ? await freshRecord(record, needs) : record;
    const settled = await settleKeys(keyed, needs, held);
    return opened(await settle({ record: settled, doubtful, isNew }, needs, held), needs);
  });
}

/** An account that is open knows other contacts than the file has. */
export async function hasOldContacts(needs: AccountNeeds): Promise<boolean> {
  const record = await needs.accounts.get(needs.issuer);
  if (record === undefined || sameContacts(record.contacts, needs.contacts)) return false;
  const { url, directoryUrl, deactivatedAt } = record;
  return url !== undefined && directoryUrl === needs.directoryUrl && deactivatedAt === undefined;
}

function isComplete(
  record: AcmeAccountRecord | undefined,
  needs: AccountNeeds,
  doubtful: string | undefined,
): record is Complete {
  return (
    record?.url !== undefined &&
    record.url !== doubtful &&
    record.nextKey === undefined &&
    record.deactivatedAt === undefined &&
    record.directoryUrl === needs.directoryUrl &&
    sameContacts(record.contacts, needs.contacts)
  );
}

/** With a new key, stored; the record of another directory, or of an account that was closed, goes. */
async function freshRecord(
  before: AcmeAccountRecord | undefined,
  needs: AccountNeeds,
): Promise<AcmeAccountRecord> {
  const now = needs.clock.now();
  const isMoved = before !== undefined && before.directoryUrl !== needs.directoryUrl;
  if (isMoved) {
    needs.log.warn(
      { issuer: needs.issuer, was: before.directoryUrl, now: needs.directoryUrl },
      'the directory of the issuer changed: a new account replaces the old one',
    );
  }
  const fresh: AcmeAccountRecord = {
    issuer: needs.issuer,
    directoryUrl: needs.directoryUrl,
    key: await generateKey('p256'),
    contacts: [],
    createdAt: now,
    reregisteredAt: before === undefined || isMoved ? undefined : now,
  };
  await needs.accounts.put(fresh);
  return fresh;
}

interface Unsettled {
  readonly record: AcmeAccountRecord;
  readonly doubtful: string | undefined;
  /** The key was made just now: no CA knows it. */
  readonly isNew: boolean;
}

async function settle(
  { record, doubtful, isNew }: Unsettled,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<Complete> {
  const client = clientOf(record, needs);
  const known = record.url === doubtful ? undefined : record.url;
  const finding = known !== undefined ? { url: known } : isNew ? 'unknown' : await find(client, signal);
  if (finding === 'closed') return closed(record, needs, signal);
  if (finding === 'unknown')
    return registered({ record: await asUnregistered(record, needs), client }, needs, signal);
  const { url } = finding;
  client.setAccountUrl(url);
  const contacts = await sendContacts({ client, record }, needs, signal);
  const complete = { ...record, url, contacts };
  if (record.url !== url || !sameContacts(record.contacts, contacts)) await needs.accounts.put(complete);
  return complete;
}

/**
 * Of an account that the CA has lost; it gets it again with the same key. That this was done today is stored before the
 * CA is asked: a run that is killed in between leaves it to the next one, which asks with the record as it is then.
 */
async function asUnregistered(record: AcmeAccountRecord, needs: AccountNeeds): Promise<AcmeAccountRecord> {
  if (record.url === undefined) return record;
  refuseSoon(record, needs);
  const forgotten = { ...record, url: undefined, reregisteredAt: needs.clock.now() };
  await needs.accounts.put(forgotten);
  return forgotten;
}

async function registered(
  { record, client }: { readonly record: AcmeAccountRecord; readonly client: AccountClient },
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<Complete> {
  const { issuer, accounts, log, contacts } = needs;
  const url = await register(client, needs, signal);
  const complete = { ...record, url, contacts };
  await accounts.put(complete);
  const isAgain = record.reregisteredAt !== undefined;
  log.info(
    { issuer, account: url },
    isAgain ? 'registered the ACME account again' : 'registered an ACME account',
  );
  return complete;
}

function refuseSoon({ url, reregisteredAt }: AcmeAccountRecord, { issuer, clock }: AccountNeeds): void {
  const age = clock.now() - (reregisteredAt ?? Number.NEGATIVE_INFINITY);
  if (reregisteredAt === undefined || age < 0 || age >= reregisterMs) return;
  throw new AgentError(
    'acme.account',
    `${issuer} refuses the account ${url} again, which was opened anew at ${new Date(reregisteredAt).toISOString()}`,
    { retryAt: reregisteredAt + reregisterMs, facts: { issuer, account: url } },
  );
}

/** The CA says that the account of this key is no more. */
async function closed(
  record: AcmeAccountRecord,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<Complete> {
  const { accounts, clock, issuer, log } = needs;
  const found = { ...record, deactivatedAt: clock.now() };
  await accounts.put(found);
  log.warn({ issuer, account: record.url }, 'the CA has closed the ACME account');
  return replaced(found, needs, signal);
}

/** By an account with a key of its own, where the file allows it. Throws `acme.account`. */
async function replaced(
  record: AcmeAccountRecord,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<Complete> {
  const { issuer } = needs;
  const { url, deactivatedAt = 0 } = record;
  if (!needs.replaceDeactivated)
    throw new AgentError(
      'acme.account',
      `the account ${url ?? ''} at ${issuer} is deactivated (noted at ${new Date(deactivatedAt).toISOString()})`,
      {
        facts: { issuer, account: url },
        advice: `Set "replaceDeactivatedAccount: true" at the issuer ${issuer} to open another account there.`,
      },
    );
  refuseSoon(record, needs);
  needs.log.warn({ issuer, was: url }, 'a new account replaces the one that was deactivated');
  const fresh = await freshRecord(record, needs);
  return settle({ record: fresh, doubtful: undefined, isNew: true }, needs, signal);
}

function opened(record: Complete, needs: AccountNeeds): OpenAccount {
  return { url: record.url, client: clientOf(record, needs), keyDer: record.key };
}
