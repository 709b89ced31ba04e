import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

const maxRetries = 4;
const firstPauseMs = 1000;
const longestPauseMs = 30_000;
/** All tries of one call and the pauses between them; a longer wait belongs to the caller, who can free the worker. */
const longestMs = 10_000;
/** What is left for the answer to the last try. */
const leastTryMs = 2000;

interface Retried<T> {
  readonly run: (spentMs: number) => Promise<T>;
  readonly mayRepeat?: ((error: unknown) => Promise<boolean>) | undefined;
}

/**
 * Runs again after faults of the wire and of the CA's servers. What is not mended within 10 s is thrown, with `retryAt`
 * where the CA named one. `run` is told how long the call has taken so far, and must not wait longer than what is left.
 * `mayRepeat` has the last word.
 */
export async function withRetries<T>(
  { run, mayRepeat = async () => true }: Retried<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const beganAt = clock.now();
  // Also when a clock is set back.
  const spentMs = () => Math.max(0, clock.now() - beganAt);
  for (let retries = 0; ; retries++) {
    try {
      return await run(spentMs());
    } catch (error) {
      const pauseMs = pauseBefore(error, retries, longestMs - leastTryMs - spentMs());
      if (pauseMs === undefined || !(await mayRepeat(error))) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}

function pauseBefore(error: unknown, retries: number, sleepLeftMs: number): number | undefined {
  if (!(error instanceof AgentError) || retries >= maxRetries) return undefined;
  const { status, retryAfterMs } = error.facts;
  const unreachable = error.code === 'acme.network' && error.retry === 'soon';
  const serverFault = unreachable || (typeof status === 'number' && status >= 500);
  const isTold = typeof retryAfterMs === 'number' && (serverFault || status === 429);
  if ((!isTold && !serverFault) || sleepLeftMs <= 0) return undefined;
  const own = Math.min(firstPauseMs * 2 ** retries, longestPauseMs, sleepLeftMs);
  if (!isTold) return own;
  // "At once", or a date that has passed by our clock, is no leave to hurry.
  return retryAfterMs <= sleepLeftMs ? Math.max(retryAfterMs, own) : undefined;
}
