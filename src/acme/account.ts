import { AgentError } from '../core/errors.ts';
import type { AcmeAccountRecord, Ports } from '../core/ports.ts';
import { generateKey, loadKey } from '../x509/key.ts';
import { type AccountClient, type ClientNeeds, createClient } from './client.ts';
import { problemType } from './problem.ts';

const lockTtlMs = 60_000;

export interface AccountNeeds extends Pick<Ports, 'accounts' | 'locks' | 'log'>, ClientNeeds {
  readonly directoryUrl: string;
  /** `mailto:` URLs. */
  readonly contacts: readonly string[];
}

/** The account of one issuer, ready to sign. */
export interface OpenAccount {
  readonly url: string;
  readonly client: AccountClient;
  /** What a challenge's token is joined with (RFC 8555 §8.1). */
  readonly keyDer: AcmeAccountRecord['key'];
}

/**
 * The stored account, else the one that the CA knows by the stored key, else a new one. The key is stored durably before
 * the CA hears of it, so that a crash leaves no account without a key. One process at a time registers. `goneUrl`: an
 * account that the CA has forgotten; its key is registered again.
 */
export async function openAccount(
  needs: AccountNeeds,
  goneUrl: string | undefined,
  signal: AbortSignal,
): Promise<OpenAccount> {
  const stored = await needs.accounts.get(needs.issuer);
  if (isComplete(stored, needs, goneUrl)) return opened(stored, stored.url, needs);
  const lock = await needs.locks.acquire(`acme-account:${needs.issuer}`, lockTtlMs, signal);
  try {
    const held = AbortSignal.any([signal, lock.signal]);
    const record = await needs.accounts.get(needs.issuer);
    if (isComplete(record, needs, goneUrl)) return opened(record, record.url, needs);
    const isNew = record?.directoryUrl !== needs.directoryUrl;
    return await settle({ record: await withKey(record, needs), goneUrl, isNew }, needs, held);
  } finally {
    await lock.release();
  }
}

function isComplete(
  record: AcmeAccountRecord | undefined,
  needs: AccountNeeds,
  goneUrl: string | undefined,
): record is AcmeAccountRecord & { readonly url: string } {
  return (
    record?.url !== undefined &&
    record.url !== goneUrl &&
    record.directoryUrl === needs.directoryUrl &&
    sameContacts(record.contacts, needs.contacts)
  );
}

/** A record with a stored key for this directory. */
async function withKey(
  record: AcmeAccountRecord | undefined,
  needs: AccountNeeds,
): Promise<AcmeAccountRecord> {
  if (record?.directoryUrl === needs.directoryUrl) return record;
  if (record) {
    needs.log.warn(
      { issuer: needs.issuer, was: record.directoryUrl, now: needs.directoryUrl },
      'the directory of the issuer changed: a new account replaces the old one',
    );
  }
  const fresh: AcmeAccountRecord = {
    issuer: needs.issuer,
    directoryUrl: needs.directoryUrl,
    key: await generateKey('p256'),
    contacts: [],
    createdAt: needs.clock.now(),
  };
  await needs.accounts.put(fresh);
  return fresh;
}

interface Unsettled {
  readonly record: AcmeAccountRecord;
  readonly goneUrl: string | undefined;
  /** The key was made just now: no CA knows it. */
  readonly isNew: boolean;
}

async function settle(
  { record, goneUrl, isNew }: Unsettled,
  needs: AccountNeeds,
  signal: AbortSignal,
): Promise<OpenAccount> {
  const known = record.url === goneUrl ? undefined : record.url;
  const client = createClient(loadKey(record.key), needs);
  const mayExist = !isNew && goneUrl === undefined;
  const found = known ?? (mayExist ? await find(client, signal) : undefined);
  const url = found ?? (await register(client, needs, signal));
  client.setAccountUrl(url);
  const contacts =
    found === undefined ? needs.contacts : await sendContacts({ client, record }, needs, signal);
  const complete = { ...record, url, contacts };
  if (record.url !== url || !sameContacts(record.contacts, contacts)) await needs.accounts.put(complete);
  if (found === undefined)
    needs.log.info({ issuer: needs.issuer, account: url }, 'registered an ACME account');
  return { url, client, keyDer: record.key };
}

/** RFC 8555 §7.3.1. */
async function find(client: AccountClient, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await client.api(signal).createAccount({ onlyReturnExisting: true });
    return locationOf(answer.headers.location);
  } catch (error) {
    if (problemType(error) === 'accountDoesNotExist') return undefined;
    throw error;
  }
}

async function register(client: AccountClient, needs: AccountNeeds, signal: AbortSignal): Promise<string> {
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
async function sendContacts(
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

function opened(record: AcmeAccountRecord, url: string, needs: AccountNeeds): OpenAccount {
  const client = createClient(loadKey(record.key), needs);
  client.setAccountUrl(url);
  return { url, client, keyDer: record.key };
}

function locationOf(location: string | undefined): string {
  if (location !== undefined) return location;
  throw new AgentError('acme.response', 'the CA answered newAccount without the URL of the account');
}

function sameContacts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');
}
