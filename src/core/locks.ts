import { AgentError } from './errors.ts';
import type { Lock, Ports } from './ports.ts';
import type { LineageId } from './types.ts';
import { deadline } from './wait.ts';

/** Held by whoever orders, stores or deletes certificates of the lineage. */
export function lineageLock(lineage: LineageId): string {
  return `issue:${lineage}`;
}

/** Held by whoever changes what is wanted under the domain. */
export function wishesLock(domain: string): string {
  return `wishes:${domain}`;
}

/** Held by whoever changes what is bound, or deletes what could be. */
export const bindingsLock = 'bindings';

export interface Wait {
  readonly name: string;
  /** As for `Locks.acquire`. */
  readonly ttlMs: number;
  readonly waitMs: number;
  /** What goes on while it is held, for people: "another change of example.com". */
  readonly busy: string;
}

/** Waits for a lock, but not for ever: throws `store.conflict` that says what is in the way. */
export async function acquireInTime(
  { name, ttlMs, waitMs, busy }: Wait,
  { locks, clock }: Pick<Ports, 'locks' | 'clock'>,
): Promise<Lock> {
  const late = () =>
    new AgentError('store.conflict', `${busy} has been under way for more than ${waitMs / 1000} s`, {
      advice: 'Nothing was changed. Try again in a minute; if it lasts, look for what hangs in the log.',
    });
  const { signal, cancel } = deadline(clock, waitMs, late);
  return locks.acquire(name, ttlMs, signal).finally(cancel);
}
