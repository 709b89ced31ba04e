import { AgentError, toAgentError } from '../core/errors.ts';
import type { JournalEntry, Ports } from '../core/ports.ts';
import type { ZoneRef } from '../core/provider.ts';
import type { Instant } from '../core/types.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { createDeadline } from './deadline.ts';
import { fly } from './flight.ts';
import { planFlight, recordFlight } from './journal.ts';
import type { Vendor } from './vendor.ts';

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

export interface EngineNeeds extends Pick<Ports, 'journal' | 'locks' | 'clock' | 'log'> {
  readonly accounts: DnsAccounts;
  readonly vendor: Vendor;
  readonly closing: AbortSignal;
}

interface Job {
  readonly op: 'add' | 'remove';
  readonly id: string;
  readonly urgent: boolean;
  readonly flyAt: Instant;
  readonly tries: number;
  readonly done: () => void;
  readonly failed: (error: AgentError) => void;
}

interface Queue {
  readonly key: string;
  readonly account: DnsAccount;
  readonly zone: ZoneRef;
  waiting: Job[];
  flight: Promise<void> | undefined;
  cancelTimer: () => void;
}

const lingerMs = 50;
const removalLingerMs = 2000;
const lockTtlMs = 30_000;
const longestFlightMs = 600_000;
const maxTries = 4;

export function createEngine(needs: EngineNeeds): Engine {
  const { accounts, locks, clock, log, closing } = needs;
  const queues = new Map<string, Queue>();

  function enqueue(entry: JournalEntry, want: Pick<Job, 'op' | 'urgent'>): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = queueOf(entry);
      const flyAt = clock.now() + (want.urgent ? lingerMs : removalLingerMs);
      queue.waiting.push({ ...want, id: entry.id, flyAt, tries: 1, done: resolve, failed: reject });
      schedule(queue);
    });
  }

  function queueOf(entry: JournalEntry): Queue {
    const key = `${entry.account}|${entry.zone}`;
    const known = queues.get(key);
    if (known !== undefined) return known;
    const queue: Queue = {
      key,
      account: accounts.get(entry.account),
      zone: { name: entry.zone, id: entry.zoneId },
      waiting: [],
      flight: undefined,
      cancelTimer: () => {},
    };
    queues.set(key, queue);
    return queue;
  }

  /** While a flight is out nothing lingers: its end takes all that gathered. */
  function schedule(queue: Queue): void {
    if (queue.flight !== undefined) return;
    queue.cancelTimer();
    const flyAt = Math.min(...queue.waiting.map((job) => job.flyAt));
    queue.cancelTimer = clock.after(Math.max(0, flyAt - clock.now()), () => takeOff(queue));
  }

  function takeOff(queue: Queue): void {
    queue.cancelTimer();
    if (queue.flight !== undefined) return;
    queue.flight = round(queue).finally(() => {
      queue.flight = undefined;
      if (queue.waiting.length === 0) queues.delete(queue.key);
      else if (queue.waiting.some((job) => job.urgent && job.tries === 1)) takeOff(queue);
      else schedule(queue);
    });
  }

  /** One flight under the lock of the zone; never rejects. */
  async function round(queue: Queue): Promise<void> {
    let jobs: readonly Job[] = [];
    try {
      const lock = await locks.acquire(lockName(queue), lockTtlMs, closing);
      try {
        jobs = queue.waiting.splice(0);
        const failures = await flight(queue, jobs, lock.signal);
        for (const job of jobs) settle(queue, job, failures.get(job.id));
      } finally {
        // A lock that cannot be released lapses; the work is done.
        await lock.release().catch((error: unknown) => log.debug({ error }, 'lock not released'));
      }
    } catch (cause) {
      const error = toAgentError(closing.aborted ? stopping(queue) : cause);
      // Settling twice harms nobody: those that were settled stay as they were.
      for (const job of jobs.length > 0 ? jobs : queue.waiting.splice(0)) settle(queue, job, error);
    }
  }

  async function flight(
    { account, zone }: Queue,
    jobs: readonly Job[],
    lockSignal: AbortSignal,
  ): Promise<ReadonlyMap<string, AgentError>> {
    const { journal, vendor } = needs;
    const { provider } = account;
    const ids = (op: Job['op']) => jobs.filter((job) => job.op === op).map(({ id }) => id);
    const plan = await planFlight({ adds: ids('add'), removes: ids('remove') }, provider.traits, journal);
    const deadline = createDeadline(longestFlightMs, `changing the zone ${zone.name}`, {
      clock,
      signals: [lockSignal, closing],
    });
    try {
      const changes = plan.changes.map(({ change }) => change);
      const landings = await fly(changes, provider.traits.batch, (chunk) =>
        vendor.call(
          { account: account.name, zone: zone.name, changes: chunk.length, rate: provider.traits.rate },
          (signal) => provider.apply(zone, chunk, signal),
          deadline.signal,
        ),
      );
      const failures = await recordFlight(plan, landings, { journal, now: clock.now() });
      if (changes.length > 0)
        log.info(
          { account: account.name, zone: zone.name, changes: changes.length, failed: failures.size },
          'TXT records changed',
        );
      return lockSignal.aborted ? lostLock(failures, zone) : failures;
    } finally {
      deadline.end();
    }
  }

  function settle(queue: Queue, job: Job, error: AgentError | undefined): void {
    if (error === undefined) job.done();
    else if (error.code.startsWith('store.') && error.retry === 'soon' && job.tries < maxTries)
      queue.waiting.push({ ...job, tries: job.tries + 1, flyAt: clock.now() + 250 * 2 ** job.tries });
    else job.failed(error);
  }

  async function drain(): Promise<void> {
    while (queues.size > 0) {
      for (const queue of queues.values()) takeOff(queue);
      await Promise.all([...queues.values()].map(({ flight }) => flight));
    }
  }

  return {
    add: (entry) => enqueue(entry, { op: 'add', urgent: true }),
    remove: (entry, { urgent } = { urgent: false }) => enqueue(entry, { op: 'remove', urgent }),
    drain,
  };
}

function lockName({ account, zone }: Queue): string {
  const whole = account.provider.traits.serialize === 'account';
  return whole ? `dns/${account.name}` : `dns/${account.name}/${zone.name}`;
}

function stopping({ zone }: Queue): AgentError {
  return new AgentError('provider.unavailable', `the agent stops; the zone ${zone.name} was not changed`);
}

/** What the lost lock interrupted is to be done again; what was refused stays refused. */
function lostLock(
  failures: ReadonlyMap<string, AgentError>,
  { name }: ZoneRef,
): ReadonlyMap<string, AgentError> {
  const fenced = new AgentError('store.fenced', `the lock on the zone ${name} was lost while it was changed`);
  return new Map([...failures.keys()].map((id) => [id, fenced]));
}
