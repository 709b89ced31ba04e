import { toAgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import { orAborted } from '../core/wait.ts';
import type { DnsAccounts } from './account.ts';
import { type ByHand, isByHand, keptMs } from './by-hand.ts';
import type { Engine } from './engine.ts';

export interface Recovery {
  /** Out of the journal: taken out of its zone, or given up after a month out of reach. */
  readonly removed: number;
  /** Entries that could not be removed now; the next recovery tries again. */
  readonly left: number;
}

export interface Removal {
  cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void>;
  /** From now on nobody may take them for wanted. */
  mark(entries: readonly JournalEntry[], signal: AbortSignal): Promise<void>;
  recover(signal: AbortSignal): Promise<Recovery>;
}

/** Takes out of the zones what was brought in, marking it in the journal first, so that a removal that fails is not lost. */
export function createRemoval({
  journal,
  engine,
  accounts,
  byHand,
  clock,
  log,
}: Pick<Ports, 'journal' | 'clock' | 'log'> & {
  readonly engine: Engine;
  readonly accounts: DnsAccounts;
  readonly byHand: ByHand;
}): Removal {
  const ofPeople = new Set(accounts.all.filter(isByHand).map(({ name }) => name));

  async function cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const found = await orAborted(Promise.all(ids.map((id) => journal.get(id))), signal);
    const entries = found.filter((entry) => entry !== undefined);
    await orAborted(markRemoving(entries), signal);
    for (const entry of entries) engine.remove(entry).catch((error: unknown) => lament(entry, error));
  }

  async function recover(signal: AbortSignal): Promise<Recovery> {
    const now = clock.now();
    const entries = await orAborted(journal.all(), signal);
    const isStale = ({ state, leaseUntil }: JournalEntry) => state === 'removing' || leaseUntil <= now;
    const [people, stale] = parted(entries.filter(isStale), ({ account }) => ofPeople.has(account));
    await orAborted(markRemoving([...people, ...stale].filter(({ state }) => state !== 'removing')), signal);
    const removals = Promise.all(stale.map((entry) => removeNow(entry)));
    const removed = (await orAborted(removals, signal)).filter(Boolean).length;
    await byHand.sweep(people, signal);
    if (stale.length > 0)
      log.info({ removed, left: stale.length - removed }, 'left-over TXT records removed');
    return { removed, left: stale.length - removed };
  }

  async function markRemoving(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length > 0)
      await journal.update(entries.map((entry) => ({ ...entry, state: 'removing' as const })));
  }

  async function removeNow(entry: JournalEntry): Promise<boolean> {
    try {
      await engine.remove(entry, { urgent: true });
      return true;
    } catch (error) {
      if (clock.now() - entry.leaseUntil > keptMs && isOutOfReach(error)) return giveUp(entry);
      lament(entry, error);
      return false;
    }
  }

  async function giveUp({ id, account, zone, name, value }: JournalEntry): Promise<boolean> {
    await journal.forget([id]);
    log.warn(
      { account, zone, name, value },
      'TXT record forgotten: for a month no account of ours has its zone. Take it away there if it still stands',
    );
    return true;
  }

  function lament({ account, zone, name }: JournalEntry, cause: unknown): void {
    const { code, message } = toAgentError(cause);
    log.warn(
      { account, zone, name, code, reason: message },
      'TXT record not removed; it is tried again later',
    );
  }

  const mark: Removal['mark'] = (entries, signal) => orAborted(markRemoving(entries), signal);

  return { cleanUp, mark, recover };
}

function isOutOfReach(error: unknown): boolean {
  const { code } = toAgentError(error);
  return code === 'config.invalid' || code === 'dns.zoneNotFound';
}

function parted<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
