import type { Clock } from './ports.ts';
import type { Instant } from './types.ts';

/** Longest wait inside a job; longer ones free the worker. */
export const longestInProcessMs = 10_000;

/** The CA is polled once it has been quiet for this long after it fetched an answer. */
const quietMs = 15;

/** Whatever Retry-After says, an open order is looked at so often. */
const longestPollMs = 3_600_000;

/** With a Retry-After of nothing, or a date that has passed by our clock, polls are still this far apart. */
const leastApartMs = 1000;

/** Growing pauses between polls, from `firstMs` by half to 5 s; the other side's Retry-After wins, within reason. */
export function pollPause(poll: number, retryAfterMs: number | undefined, firstMs = 50): number {
  const own = Math.min(5000, Math.round(firstMs * 1.5 ** poll));
  if (retryAfterMs === undefined) return own;
  return Math.min(Math.max(retryAfterMs, Math.min(own, leastApartMs)), longestPollMs);
}

/** Between looks at what somebody has been at for so long, from one job to the next. */
export function seldom(ageMs: number): number {
  return Math.min(300_000, Math.max(ageMs, 0) / 2);
}

/** Work that cannot go on before an instant. */
export interface Again {
  readonly again: Instant;
}

/** Sleeps that end early on an event which may have come before they began. */
export interface Quiet {
  /** Resolves after `ms`, or earlier once something was seen since the last sleep and then nothing for a moment. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

/**
 * Listens from now on. A CA fetches an answer from several places and its verdict follows the last fetch, so the moment
 * to ask is when it has been quiet for a while, however many fetches there were.
 */
export function createQuiet(clock: Clock, listen: (seen: () => void) => () => void): Quiet {
  let early: AbortController | undefined;
  let ripe = false;
  let cancel: (() => void) | undefined;
  const unlisten = listen(() => {
    cancel?.();
    cancel = clock.after(quietMs, () => {
      ripe = true;
      early?.abort();
    });
  });

  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    early = new AbortController();
    if (ripe) early.abort();
    try {
      await clock.sleep(ms, AbortSignal.any([signal, early.signal]));
    } catch (error) {
      if (signal.aborted || !early.signal.aborted) throw error;
    } finally {
      ripe = false;
      early = undefined;
    }
  }

  function stop(): void {
    cancel?.();
    unlisten();
  }

  return { sleep, stop };
}

/** A signal that aborts after `ms` with the error that `late` makes; `cancel` it when the work is done. */
export function deadline(
  clock: Clock,
  ms: number,
  late: () => Error,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const controller = new AbortController();
  const cancel = clock.after(ms, () => controller.abort(late()));
  return { signal: controller.signal, cancel };
}

export interface Limit {
  readonly clock: Clock;
  readonly ms: number;
  /** What is thrown after `ms`. */
  readonly late: () => Error;
  /** Of the caller: handed on, so that the work can end in order. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What `work` resolves with, within `ms`. A part that does not heed its signal, as a plugin may, is left behind: it goes
 * on, and nobody hears of it.
 */
export async function inTime<T>(
  { clock, ms, late, signal }: Limit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = deadline(clock, ms, late);
  const both = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  try {
    return await orAborted(work(both), limit.signal);
  } catch (error) {
    // Rather than what the work made of it.
    limit.signal.throwIfAborted();
    throw error;
  } finally {
    limit.cancel();
  }
}

/** The work, or the signal's reason as soon as it is aborted; the work itself goes on. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
