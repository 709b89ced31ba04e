import type { AgentError } from '../core/errors.ts';
import type { JournalEntry } from '../core/ports.ts';
import { createQueue, type Queue, type Waiting } from './queue.ts';
import { createRound, type Job, type RoundNeeds, type Runway } from './round.ts';

/**
 * Brings journal entries into their zones and out again. What comes for one zone at about the same time shares a call,
 * and at most one flight is out for an (account, zone) over all agents on the store.
 */
export interface Engine {
  /** Resolves once the value is with the vendor, or stays `intent` in the journal because its name has no room yet. */
  add(entry: JournalEntry): Promise<void>;
  /** Resolves once the value is gone or somebody else needs it. Without hurry it rides along or goes after a while. */
  remove(entry: JournalEntry, options?: { readonly urgent: boolean }): Promise<void>;
  /** Sends off what waits, then waits for what is out. */
  drain(): Promise<void>;
}

interface Waiter extends Job, Waiting {
  readonly tries: number;
  readonly done: () => void;
  readonly failed: (error: AgentError) => void;
}

const lingerMs = 50;
const removalLingerMs = 2000;
const maxTries = 4;

export function createEngine(needs: RoundNeeds): Engine {
  const { accounts, clock } = needs;
  const queues = new Map<string, Queue<Waiter>>();
  const round = createRound(needs);

  function enqueue(entry: JournalEntry, op: Job['op'], urgent: boolean): Promise<void> {
    return new Promise((done, failed) => {
      const flyAt = clock.now() + (urgent ? lingerMs : removalLingerMs);
      queueOf(entry).push({ op, id: entry.id, hurries: urgent, flyAt, tries: 1, done, failed });
    });
  }

  function queueOf(entry: JournalEntry): Queue<Waiter> {
    const key = `${entry.account}|${entry.zone}`;
    const known = queues.get(key);
    if (known !== undefined) return known;
    const runway: Runway = {
      account: accounts.get(entry.account),
      zone: { name: entry.zone, id: entry.zoneId },
    };
    const queue: Queue<Waiter> = createQueue<Waiter>(clock, {
      depart: () => round(runway, queue.take, (waiter, error) => settle(queue, waiter, error)),
      emptied: () => void queues.delete(key),
    });
    queues.set(key, queue);
    return queue;
  }

  /** What the store could not take is flown again a few times; without hurry, for the store is out of breath. */
  function settle(queue: Queue<Waiter>, waiter: Waiter, error: AgentError | undefined): void {
    const { tries } = waiter;
    if (error === undefined) waiter.done();
    else if (error.code.startsWith('store.') && error.retry === 'soon' && tries < maxTries)
      queue.push({ ...waiter, hurries: false, tries: tries + 1, flyAt: clock.now() + 250 * 2 ** tries });
    else waiter.failed(error);
  }

  async function drain(): Promise<void> {
    while (queues.size > 0) await Promise.all([...queues.values()].map((queue) => queue.hurry()));
  }

  return {
    add: (entry) => enqueue(entry, 'add', true),
    remove: (entry, { urgent } = { urgent: false }) => enqueue(entry, 'remove', urgent),
    drain,
  };
}
