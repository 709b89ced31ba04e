import { AgentError, toAgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { TxtChange, ZoneRef } from '../core/provider.ts';
import type { DnsAccount, DnsAccounts } from './account.ts';
import { createDeadline } from './deadline.ts';
import { fly } from './flight.ts';
import { planFlight, recordFlight } from './journal.ts';
import type { Vendor } from './vendor.ts';

export interface RoundNeeds extends Pick<Ports, 'journal' | 'locks' | 'metrics' | 'clock' | 'log'> {
  readonly accounts: DnsAccounts;
  readonly vendor: Vendor;
  readonly closing: AbortSignal;
}

/** A journal entry that is to be brought in or taken away. */
export interface Job {
  readonly op: 'add' | 'remove';
  readonly id: string;
}

export interface Runway {
  readonly account: DnsAccount;
  readonly zone: ZoneRef;
}

/** By entry id. */
type Failures = ReadonlyMap<string, AgentError>;

/**
 * One flight under the lock of the zone; never rejects. `take` is called when the lock is there, so that all that
 * gathered comes along; each that was taken is settled, once or more often.
 */
export type Round = <J extends Job>(
  runway: Runway,
  take: () => readonly J[],
  settle: (job: J, error: AgentError | undefined) => void,
) => Promise<void>;

const lockTtlMs = 30_000;
const longestFlightMs = 600_000;

export function createRound(needs: RoundNeeds): Round {
  const { locks, log, closing } = needs;
  return async function round<J extends Job>(
    runway: Runway,
    take: () => readonly J[],
    settle: (job: J, error: AgentError | undefined) => void,
  ): Promise<void> {
    let jobs: readonly J[] = [];
    try {
      const lock = await locks.acquire(lockName(runway), lockTtlMs, closing);
      try {
        jobs = take();
        const failures = await flight(runway, jobs, { ...needs, lockSignal: lock.signal });
        for (const job of jobs) settle(job, failures.get(job.id));
      } finally {
        // A lock that cannot be released lapses; the work is done.
        await lock.release().catch((error: unknown) => log.debug({ error }, 'lock not released'));
      }
    } catch (cause) {
      const error = toAgentError(closing.aborted ? stopping(runway) : cause);
      // Settling twice harms nobody: those that were settled stay as they were.
      for (const job of jobs.length > 0 ? jobs : take()) settle(job, error);
    }
  };
}

async function flight(
  { account, zone }: Runway,
  jobs: readonly Job[],
  needs: RoundNeeds & { readonly lockSignal: AbortSignal },
): Promise<Failures> {
  const { accounts, journal, clock, log, lockSignal } = needs;
  const ids = (op: Job['op']) => jobs.filter((job) => job.op === op).map(({ id }) => id);
  const names = accounts.all.map(({ name }) => name);
  const request = { adds: ids('add'), removes: ids('remove'), accounts: names };
  const plan = await planFlight(request, account.provider.traits, journal);
  const changes = plan.changes.map(({ change }) => change);
  const landings = await flyAll({ account, zone }, changes, needs);
  const failures = await recordFlight(plan, landings, { journal, now: clock.now() });
  if (changes.length > 0)
    log.info(
      { account: account.name, zone: zone.name, changes: changes.length, failed: failures.size },
      'TXT records changed',
    );
  return lockSignal.aborted ? lostLock(failures, zone) : failures;
}

async function flyAll(
  { account: { name, provider }, zone }: Runway,
  changes: readonly TxtChange[],
  { vendor, metrics, clock, closing, lockSignal }: RoundNeeds & { readonly lockSignal: AbortSignal },
): ReturnType<typeof fly> {
  const { batch, rate } = provider.traits;
  const signals = [lockSignal, closing];
  const deadline = createDeadline(longestFlightMs, `changing the zone ${zone.name}`, { clock, signals });
  try {
    return await fly(changes, batch, (chunk) => {
      metrics.observe('dns_call_changes', { account: name }, chunk.length);
      return vendor.call(
        { account: name, zone: zone.name, changes: chunk.length, rate, for: 'apply' },
        (signal) => provider.apply(zone, chunk, signal),
        deadline.signal,
      );
    });
  } finally {
    deadline.end();
  }
}

function lockName({ account, zone }: Runway): string {
  const whole = account.provider.traits.serialize === 'account';
  return whole ? `dns/${account.name}` : `dns/${account.name}/${zone.name}`;
}

function stopping({ zone }: Runway): AgentError {
  return new AgentError('provider.unavailable', `the agent stops; the zone ${zone.name} was not changed`);
}

/** What the lost lock interrupted is to be done again; what was refused stays refused. */
function lostLock(failures: Failures, { name }: ZoneRef): Failures {
  const fenced = new AgentError('store.fenced', `the lock on the zone ${name} was lost while it was changed`);
  return new Map([...failures.keys()].map((id) => [id, fenced]));
}
