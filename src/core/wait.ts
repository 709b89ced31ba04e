import type { Clock } from './ports.ts';
import type { Instant } from './types.ts';

/** Longest wait inside a job; longer ones free the worker. */
export const longestInProcessMs = 10_000;

/** The CA is polled once it has been quiet for this long after it fetched an answer. */
const quietMs = 15;

/** Growing pauses between polls, from `firstMs` by half to 5 s; the other side's Retry-After wins. */
export function pollPause(poll: number, retryAfterMs: number | undefined, firstMs = 50): number {
  return retryAfterMs ?? Math.min(5000, Math.round(firstMs * 1.5 ** poll));
}

/** Work that cannot go on before an instant. */
export interface Again {
  readonly again: Instant;
}

/**
 * Resolves after `ms`, or earlier once something was seen and then nothing for a moment.
 * A CA fetches an answer from several places; its verdict follows the last.
 */
export async function sleepOrQuiet(
  ms: number,
  listen: (seen: () => void) => () => void,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const early = new AbortController();
  let cancel: (() => void) | undefined;
  const stop = listen(() => {
    cancel?.();
    cancel = clock.after(quietMs, () => early.abort());
  });
  try {
    await clock.sleep(ms, AbortSignal.any([signal, early.signal]));
  } catch (error) {
    if (!early.signal.aborted || signal.aborted) throw error;
  } finally {
    stop();
    cancel?.();
  }
}

/** A signal that aborts after `ms`; `cancel` it when the work is done. */
export function deadline(
  clock: Clock,
  ms: number,
  what: string,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const controller = new AbortController();
  const cancel = clock.after(ms, () =>
    controller.abort(new Error(`${what} took longer than ${Math.round(ms / 1000)} s`)),
  );
  return { signal: controller.signal, cancel };
}
