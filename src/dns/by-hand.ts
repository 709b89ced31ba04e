import { AgentError } from '../core/errors.ts';
import type { JournalEntry, NotReady, Ports } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import type { Authoritative } from './authoritative.ts';
import type { Doh } from './doh.ts';
import { since } from './learned.ts';
import { judge } from './verdict.ts';

/** Records that a person adds and takes away: nobody is called for them, they are only looked for. */
export interface ByHand {
  /** Whether the zone's servers show it. Throws `dns.propagation` once the CA waits for it no more. */
  shown(entry: JournalEntry, account: DnsAccount, signal: AbortSignal): Promise<true | NotReady>;
  /** Forgets, of those that may go, what has gone, and what nobody has taken away for a month. Gives how many. */
  sweep(entries: readonly JournalEntry[], signal: AbortSignal): Promise<number>;
}

export interface ByHandNeeds extends Pick<Ports, 'journal' | 'clock' | 'log'> {
  readonly accounts: DnsAccounts;
  readonly authoritative: Authoritative;
  readonly doh: Doh;
}

const shortestPauseMs = 15_000;
const longestPauseMs = 600_000;
/** So long an entry is kept whose record nobody takes away. */
export const keptMs = 30 * 86_400_000;

export function isByHand({ provider }: DnsAccount): boolean {
  return provider.traits.propagation.signal === 'person';
}

export function createByHand({ accounts, journal, authoritative, doh, clock, log }: ByHandNeeds): ByHand {
  function look({ zone, name }: JournalEntry, account: DnsAccount, signal: AbortSignal) {
    return authoritative.look({ zone, name, override: account.nameservers }, signal);
  }

  async function shown(
    entry: JournalEntry,
    account: DnsAccount,
    signal: AbortSignal,
  ): Promise<true | NotReady> {
    const verdict = judge(await look(entry, account, signal), entry.value);
    const isThere = verdict.filtered ? await byResolvers(entry, signal) : verdict.shown;
    const now = clock.now();
    if (isThere) {
      if (entry.shownAt === undefined) await journal.update([{ ...entry, shownAt: now }]);
      return true;
    }
    const { name, value, leaseUntil } = entry;
    if (now >= leaseUntil) throw neverCame(entry, verdict.words, now);
    const pauseMs = Math.min(Math.max((now - since(entry)) / 20, shortestPauseMs), longestPauseMs);
    return { checkAgainAt: Math.round(now + pauseMs), byHand: { name, value, until: leaseUntil } };
  }

  /** Port 53 is filtered here; time alone says nothing about what a person did. */
  async function byResolvers({ name, value }: JournalEntry, signal: AbortSignal): Promise<boolean> {
    const views = await doh.txt(name, signal);
    return views.length > 0 && views.every((values) => values.has(value));
  }

  async function sweep(entries: readonly JournalEntry[], signal: AbortSignal): Promise<number> {
    const gone = await Promise.all(entries.map((entry) => isGone(entry, signal)));
    const ids = entries.filter((_, index) => gone[index] === true).map(({ id }) => id);
    await journal.forget(ids);
    return ids.length;
  }

  async function isGone(entry: JournalEntry, signal: AbortSignal): Promise<boolean> {
    if (clock.now() - entry.createdAt > keptMs) return true;
    try {
      const views = await look(entry, accounts.get(entry.account), signal);
      const isSeen = views.some(({ seen }) => seen.some((values) => values.has(entry.value)));
      // It was added after nobody waited for it any more.
      if (isSeen && entry.shownAt === undefined) await journal.update([{ ...entry, shownAt: clock.now() }]);
      return !isSeen && views.some(({ seen }) => seen.length > 0);
    } catch (err) {
      if (signal.aborted) throw err;
      log.debug({ name: entry.name, err }, 'whether a record is still there cannot be seen');
      return false;
    }
  }

  return { shown, sweep };
}

function neverCame(
  { name, zone, account, createdAt }: JournalEntry,
  words: string,
  now: Instant,
): AgentError {
  const hours = Math.round((now - createdAt) / 3_600_000);
  const seen = words === '' ? '' : `: ${words}`;
  return new AgentError(
    'dns.propagation',
    `nobody added the TXT record at ${name} within ${hours} h${seen}`,
    {
      facts: { name, zone, account },
      advice:
        'Add the record of the next order, which "acme-agent dns pending" lists, or name a DNS account that the agent can write to.',
    },
  );
}
