import { believable, nextAttempt } from '../backoff.ts';
import { type AgentError, errorTable } from '../errors.ts';
import type { Failure, Instant, LeftOut, RenewalState } from '../types.ts';
import { verdictsIn } from '../verdict.ts';
import { pauseEndsAt } from './pause.ts';

export type LeftOuts = RenewalState['leftOut'];

/**
 * The names to order now: the wished ones but for those left out whose turn has not come, and that nobody asked for
 * since. All of them when none would be left.
 */
export function namesToOrder(
  wanted: readonly string[],
  state: Pick<RenewalState, 'leftOut' | 'requested'>,
  now: Instant,
): readonly string[] {
  const names = wanted.filter((name) => {
    const entry = state.leftOut?.[name];
    return entry === undefined || isDue(entry, state, now);
  });
  return names.length === 0 ? wanted : names;
}

/** The turn of one of them has come. */
export function isLeftOutDue(state: Pick<RenewalState, 'leftOut' | 'requested'>, now: Instant): boolean {
  return Object.values(state.leftOut ?? {}).some((entry) => isDue(entry, state, now));
}

/**
 * The names to leave out from now on, when the CA blamed some of those ordered and not all; undefined: the order failed
 * as a whole. Each name has a ladder of its own.
 */
export function leaveOut(
  before: LeftOuts,
  failed: {
    readonly error: AgentError;
    readonly failure: Failure;
    readonly ordered: readonly string[];
    readonly validUntil: Instant | undefined;
    /** In [0, 1). */
    readonly random: number;
  },
  now: Instant,
): LeftOuts {
  const { error, failure, ordered, validUntil, random } = failed;
  const blamed = verdictsIn(error, ordered);
  const names = new Set(blamed.map(({ name }) => name));
  if (names.size === 0 || names.size === ordered.length) return undefined;
  const added = blamed.map(({ name, message, ...own }): [string, LeftOut] => {
    const failures = (before?.[name]?.failures ?? 0) + 1;
    const isPaused = error.code === 'acme.paused';
    const code = isPaused ? error.code : own.code;
    const { retry } = errorTable[code];
    const retryAt = isPaused
      ? pauseEndsAt(random, now)
      : nextAttempt({ failures, retry, retryAt: error.retryAt, validUntil, random }, now);
    const since = before?.[name]?.since ?? now;
    const advice = code === error.code ? failure.advice : undefined;
    const { at, issuer } = failure;
    return [name, { failures, since, retryAt, failure: { at, code, message, issuer, advice } }];
  });
  return { ...before, ...Object.fromEntries(added) };
}

/**
 * Without their ladders, but for those that the CA paused. They are not forgotten: nothing else would know that the
 * certificate lacks them.
 */
export function tryNow(leftOut: LeftOuts, now: Instant): LeftOuts {
  if (leftOut === undefined) return undefined;
  const freed = Object.entries(leftOut).map(([name, entry]) => [
    name,
    entry.failure.code === 'acme.paused' ? entry : { ...entry, failures: 0, retryAt: now },
  ]);
  return Object.fromEntries(freed);
}

/** What stays left out of a certificate with these names; names that nobody wants any more are forgotten. */
export function stillLeftOut(
  leftOut: LeftOuts,
  wanted: readonly string[],
  held: readonly string[],
): LeftOuts {
  const left = Object.entries(leftOut ?? {}).filter(
    ([name]) => wanted.includes(name) && !held.includes(name),
  );
  return left.length === 0 ? undefined : Object.fromEntries(left);
}

/** When the first of them is tried again. */
export function leftOutDueAt(leftOut: LeftOuts, now: Instant): Instant | undefined {
  const instants = Object.values(leftOut ?? {}).map(({ retryAt }) => believable(retryAt, now) ?? now);
  return instants.length === 0 ? undefined : Math.min(...instants);
}

/** By its ladder, or because somebody has asked for the certificate since it was refused. */
function isDue(
  { retryAt, failure }: LeftOut,
  { requested }: Pick<RenewalState, 'requested'>,
  now: Instant,
): boolean {
  const askedAt = requested?.askedAt ?? requested?.at ?? 0;
  const isAsked = askedAt > failure.at && (requested?.at ?? 0) <= now;
  return isAsked || (believable(retryAt, now) ?? now) <= now;
}
