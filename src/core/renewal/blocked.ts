import { believable, nextAttempt } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Instant, RenewalState } from '../types.ts';
import { patience, weightOf } from './failover.ts';

type Blocked = RenewalState['blocked'];

/** Only a person can bring this issuer to issue; another one may all the same. A pause has a way of its own. */
export function isBlock(error: AgentError, now: Instant): boolean {
  return (
    error.retry === 'blocked' && error.code !== 'acme.paused' && weightOf(error, now, undefined) >= patience
  );
}

/** What is known after an issuer failed: blocked for a day, or not any more. */
export function blockedBy(
  error: AgentError,
  { before, issuer, random }: { readonly before: Blocked; readonly issuer: string; readonly random: number },
  now: Instant,
): Blocked {
  const others = Object.entries(before ?? {}).filter(([name]) => name !== issuer);
  const { retry, retryAt } = error;
  const until = nextAttempt({ failures: 1, retry, retryAt, random }, now);
  const all = isBlock(error, now) ? [...others, [issuer, until] as const] : others;
  return all.length === 0 ? undefined : Object.fromEntries(all);
}

/** Those that may be asked now. */
export function unblocked(issuers: readonly string[], blocked: Blocked, now: Instant): readonly string[] {
  return issuers.filter((issuer) => blockEndsAt(issuer, blocked, now) <= now);
}

export function blockEndsAt(issuer: string, blocked: Blocked, now: Instant): Instant {
  return believable(blocked?.[issuer], now) ?? now;
}
