import { AgentError, type ErrorCode, toAgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import type { Addition } from './addition.ts';
import { type ByHand, isByHand } from './by-hand.ts';
import type { Propagation } from './propagation.ts';
import type { Shown } from './vendor-word.ts';

export interface Readiness {
  /** As `Dns.ready`: from the intent in the journal to the value at the zone's servers. */
  ready(id: string, signal: AbortSignal): Promise<Shown>;
}

/** For room at a name, which whoever has it keeps until the CA has judged, and for a vendor that wants to be left alone. */
const longestWaitMs = 3_600_000;
/** For a zone that is always at another change. */
const longestBusyMs = 5 * 60_000;
const shortestPauseMs = 1000;
const longestPauseMs = 30_000;

export function createReadiness({
  journal,
  accounts,
  addition,
  propagation,
  byHand,
  clock,
}: Pick<Ports, 'journal' | 'clock'> & {
  readonly accounts: DnsAccounts;
  readonly addition: Addition;
  readonly propagation: Propagation;
  readonly byHand: ByHand;
}): Readiness {
  async function ready(id: string, signal: AbortSignal): Promise<Shown> {
    const before = await wanted(id);
    const wait = before.state === 'intent' ? await untilLanded(before, signal) : undefined;
    if (wait !== undefined) return wait;
    const entry = await wanted(id);
    const account = accounts.get(entry.account);
    if (entry.state === 'intent') return waitForRoom(entry, account);
    const eyes = isByHand(account) ? byHand : propagation;
    return eyes.shown(entry, account, signal);
  }

  /** undefined: it is with the vendor, or has found no room. */
  async function untilLanded(
    entry: JournalEntry,
    signal: AbortSignal,
  ): Promise<Exclude<Shown, true> | undefined> {
    try {
      return (await addition.hasLanded(entry, signal)) ? undefined : later(entry);
    } catch (error) {
      const { code, retryAt = later(entry).checkAgainAt } = toAgentError(error);
      if (retryAt >= busyUntil(code, entry)) throw error;
      return { checkAgainAt: Math.max(retryAt, clock.now() + shortestPauseMs) };
    }
  }

  /** The longer it has taken already, the seldomer it is looked at. */
  function later({ createdAt }: JournalEntry): Exclude<Shown, true> {
    const now = clock.now();
    const pauseMs = Math.min(Math.max(shortestPauseMs, Math.round((now - createdAt) / 3)), longestPauseMs);
    return { checkAgainAt: now + pauseMs };
  }

  async function wanted(id: string): Promise<JournalEntry> {
    const entry = await journal.get(id);
    if (entry !== undefined && entry.state !== 'removing') return entry;
    const what = entry === undefined ? 'the TXT record' : `the TXT record at ${entry.name}`;
    throw new AgentError('dns.propagation', `${what} was removed before the CA asked for it`, {
      facts: { id },
    });
  }

  function waitForRoom(entry: JournalEntry, { provider }: DnsAccount): Shown {
    const { maxValuesPerName } = provider.traits;
    if (clock.now() < lastInstant(entry)) return later(entry);
    throw new AgentError(
      'dns.propagation',
      `DNS account ${entry.account} holds at most ${maxValuesPerName} TXT value(s) at ${entry.name}, and others did not leave in time`,
      { facts: { name: entry.name, account: entry.account } },
    );
  }

  return { ready };
}

/** What says nothing about the record, but that the vendor is busy, is waited for until then. */
function busyUntil(code: ErrorCode, entry: JournalEntry): Instant {
  if (code === 'provider.throttled') return lastInstant(entry);
  return code === 'provider.conflict' ? Math.min(lastInstant(entry), entry.createdAt + longestBusyMs) : 0;
}

/** Beyond it nothing is waited for before the value is with the vendor. */
function lastInstant({ leaseUntil, createdAt }: JournalEntry): Instant {
  return Math.min(leaseUntil, createdAt + longestWaitMs);
}
