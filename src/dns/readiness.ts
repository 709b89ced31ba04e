import { AgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import type { Addition } from './addition.ts';
import type { Propagation } from './propagation.ts';
import type { Shown } from './vendor-word.ts';

export interface Readiness {
  /** As `Dns.ready`: from the intent in the journal to the value at the zone's servers. */
  ready(id: string, signal: AbortSignal): Promise<Shown>;
}

/** Whoever has the place keeps it until the CA has judged. */
const longestRoomWaitMs = 3_600_000;
const shortestRoomPauseMs = 1000;
const longestRoomPauseMs = 30_000;

export function createReadiness({
  journal,
  accounts,
  addition,
  propagation,
  clock,
}: Pick<Ports, 'journal' | 'clock'> & {
  readonly accounts: DnsAccounts;
  readonly addition: Addition;
  readonly propagation: Propagation;
}): Readiness {
  async function ready(id: string, signal: AbortSignal): Promise<Shown> {
    const before = await wanted(id);
    if (before.state === 'intent' && !(await addition.hasLanded(before, signal)))
      return { checkAgainAt: clock.now() };
    const entry = await wanted(id);
    const account = accounts.get(entry.account);
    return entry.state === 'intent' ? waitForRoom(entry, account) : propagation.shown(entry, account, signal);
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
    const now = clock.now();
    const { maxValuesPerName } = provider.traits;
    const age = now - entry.createdAt;
    if (now < Math.min(entry.leaseUntil, entry.createdAt + longestRoomWaitMs))
      return {
        checkAgainAt: now + Math.min(Math.max(shortestRoomPauseMs, Math.round(age / 3)), longestRoomPauseMs),
      };
    throw new AgentError(
      'dns.propagation',
      `DNS account ${entry.account} holds at most ${maxValuesPerName} TXT value(s) at ${entry.name}, and others did not leave in time`,
      { facts: { name: entry.name, account: entry.account } },
    );
  }

  return { ready };
}
