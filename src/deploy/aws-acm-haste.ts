import { isAgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

/** What AWS calls a request too many. */
const tooMany: ReadonlySet<unknown> = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

const patienceMs = 15 * 60_000;
/** Another slot never comes at the same moment again. */
const shortestMs = 2_000;
const spreadMs = 10_000;

/** Requests too many, by the hash of the slot: each comes back soon, and no deployment has failed because others were first. */
export interface Haste {
  /** When to come back; undefined: that is not it, or it has been so for too long. */
  next(slot: string, error: unknown): Instant | undefined;
  /** Its turn came. */
  forget(slot: string): void;
}

export function createHaste(clock: Clock): Haste {
  const since = new Map<string, Instant>();
  return {
    forget: (slot) => void since.delete(slot),
    next(slot, error) {
      const isHaste = isAgentError(error, 'deploy.target') && tooMany.has(error.facts.vendorCode);
      const now = clock.now();
      const first = since.get(slot) ?? now;
      since.delete(slot);
      if (!isHaste || now - first > patienceMs) return undefined;
      since.set(slot, first);
      return now + shortestMs + (Number.parseInt(slot.slice(0, 8), 16) % spreadMs);
    },
  };
}
