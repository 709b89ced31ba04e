import { createHash } from 'node:crypto';
import type { DnsCare, Trial, TrialSight } from '../core/dns-care.ts';
import type { Journal, JournalEntry, Ports } from '../core/ports.ts';
import type { DnsAccounts } from './account.ts';
import type { Addition } from './addition.ts';
import type { Authoritative } from './authoritative.ts';
import type { Engine } from './engine.ts';
import { type Learned, since } from './learned.ts';
import type { Removal } from './removal.ts';
import type { VendorWord } from './vendor-word.ts';

export interface TrialNeeds extends Pick<Ports, 'clock'> {
  readonly journal: Journal;
  readonly accounts: DnsAccounts;
  readonly addition: Addition;
  readonly removal: Removal;
  readonly engine: Engine;
  readonly authoritative: Authoritative;
  readonly vendorWord: VendorWord;
  readonly learned: Learned;
}

const leaseMs = 3_600_000;

/** A value without meaning goes the way of all others: journal, flight, nameservers, and out again. */
export function createTrials(needs: TrialNeeds): Pick<DnsCare, 'beginTrial' | 'seeTrial' | 'endTrial'> {
  const { journal, accounts, addition, removal, engine, authoritative, vendorWord, learned, clock } = needs;

  async function entryOf(key: string): Promise<JournalEntry | undefined> {
    return (await journal.all()).find(({ lineage }) => lineage === lineageOf(key));
  }

  async function beginTrial({ key, name, account }: Trial, signal: AbortSignal): Promise<void> {
    if ((await entryOf(key)) !== undefined) return;
    const value = createHash('sha256').update(`acme-agent trial ${key}`).digest('base64url');
    const leaseUntil = clock.now() + leaseMs;
    const wish = { name: `_acme-challenge.${name}`, value, lineage: lineageOf(key), account, leaseUntil };
    await addition.present([wish], signal);
  }

  async function seeTrial(key: string, signal: AbortSignal): Promise<TrialSight | undefined> {
    const before = await entryOf(key);
    if (before?.state === 'intent') await addition.hasLanded(before, signal);
    const entry = await entryOf(key);
    if (entry === undefined || entry.state === 'removing') return undefined;
    const { zone, name, value, createdAt, addedAt, ticket } = entry;
    if (addedAt === undefined) return { ageMs: clock.now() - createdAt, shownBy: [] };
    const account = accounts.get(entry.account);
    const views = await authoritative.look({ zone, name, override: account.nameservers }, signal);
    const shownBy = views
      .filter(({ seen }) => seen.length > 0 && seen.every((values) => values.has(value)))
      .map(({ server }) => server);
    await learned.looked(entry, shownBy.length === views.length);
    const word = ticket === undefined ? undefined : await vendorWord.ask(entry, { account, ticket }, signal);
    return {
      acceptedMs: addedAt - createdAt,
      ageMs: clock.now() - since(entry),
      shownBy,
      isLive: word === undefined ? undefined : word === true,
    };
  }

  async function endTrial(key: string, signal: AbortSignal): Promise<boolean> {
    const entry = await entryOf(key);
    if (entry === undefined) return true;
    if (entry.state !== 'removing') {
      addition.forget([entry.id]);
      await removal.mark([entry], signal);
    }
    // In a hurry, and by whoever is asked again: what fails is told by the journal.
    await engine.remove(entry, { urgent: true });
    return (await entryOf(key)) === undefined;
  }

  return { beginTrial, seeTrial, endTrial };
}

function lineageOf(key: string): string {
  return `dns doctor/${key}`;
}
