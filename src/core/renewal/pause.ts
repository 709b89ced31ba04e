import { believable } from '../backoff.ts';
import type { AgentError } from '../errors.ts';
import type { Instant, Pause, RenewalState } from '../types.ts';
import { saidBy } from './failure.ts';

type Pauses = RenewalState['paused'];

const week = 7 * 86_400_000;

/**
 * When an order is tried again that the CA does not take before a person has allowed it there: each refused order
 * would show the CA once more that nobody looks after the name. `random`: in [0, 1).
 */
export function pauseEndsAt(random: number, now: Instant): Instant {
  return now + Math.round(week * (1 + 0.05 * random));
}

/** With the pause that the CA's answer told of, if it did. */
export function pausedBy(
  error: AgentError,
  {
    before,
    issuer,
    ordered,
    random,
  }: {
    readonly before: Pauses;
    readonly issuer: string;
    readonly ordered: readonly string[];
    readonly random: number;
  },
  now: Instant,
): Pauses {
  if (error.code !== 'acme.paused') return before;
  const since = before?.[issuer]?.since ?? now;
  const names = pausedNames(error, ordered);
  const pause: Pause = { names, since, retryAt: pauseEndsAt(random, now), message: saidBy(issuer, error) };
  return { ...before, [issuer]: pause };
}

function pausedNames({ message }: AgentError, ordered: readonly string[]): readonly string[] {
  const words = new Set(message.toLowerCase().match(/[a-z0-9*][a-z0-9.-]*[a-z0-9]/g));
  const names = ordered.filter((name) => words.has(name));
  return names.length === 0 ? ordered : names;
}

/** The issuers that may be asked now. */
export function unpaused(issuers: readonly string[], paused: Pauses, now: Instant): readonly string[] {
  return issuers.filter((issuer) => endOf(paused?.[issuer], now) <= now);
}

/** Those whose limits have room now, as far as we were told; `full`: when each of the others will have some. */
export function withRoom(
  issuers: readonly string[],
  full: Readonly<Record<string, Instant>> | undefined,
  now: Instant,
): readonly string[] {
  return issuers.filter((issuer) => (believable(full?.[issuer], now) ?? now) <= now);
}

/** When the first of them may be asked; undefined: one may be asked now, or there are none. */
export function pausedUntil(issuers: readonly string[], paused: Pauses, now: Instant): Instant | undefined {
  if (issuers.length === 0 || unpaused(issuers, paused, now).length > 0) return undefined;
  return Math.min(...issuers.map((issuer) => endOf(paused?.[issuer], now)));
}

/** But for an issuer that issued, or is another one now; undefined: none is left. */
export function withoutPauses(paused: Pauses, issuers: readonly (string | undefined)[]): Pauses {
  const left = Object.entries(paused ?? {}).filter(([issuer]) => !issuers.includes(issuer));
  return left.length === 0 ? undefined : Object.fromEntries(left);
}

/** Another wish is no reason to ask again, unless it has none of the names that are paused. */
export function stillPaused(paused: Pauses, wanted: readonly string[]): Pauses {
  const left = Object.entries(paused ?? {}).filter(([, { names }]) =>
    names.some((name) => wanted.includes(name)),
  );
  return left.length === 0 ? undefined : Object.fromEntries(left);
}

/** A person says that the pauses are over: the issuers are asked again as if they had never failed, also for names left out. */
export function resumed(state: RenewalState): RenewalState {
  const paused = Object.keys(state.paused ?? {});
  const faults = Object.entries(state.issuerFailures).filter(([issuer]) => !paused.includes(issuer));
  const names = Object.entries(state.leftOut ?? {}).map(([name, entry]) => [
    name,
    entry.failure.code === 'acme.paused' ? { ...entry, retryAt: entry.failure.at } : entry,
  ]);
  return {
    ...state,
    paused: undefined,
    blocked: undefined,
    waiting: undefined,
    leftOut: state.leftOut && Object.fromEntries(names),
    issuerFailures: Object.fromEntries(faults),
  };
}

function endOf(pause: Pause | undefined, now: Instant): Instant {
  return believable(pause?.retryAt, now) ?? now;
}
