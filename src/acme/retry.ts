import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

const maxRetries = 4;
const firstPauseMs = 1000;
const longestPauseMs = 30_000;
/** All pauses of one call together; a longer wait belongs to the caller, who can free the worker meanwhile. */
const maxSleepMs = 10_000;

/**
 * Runs again after faults of the wire and of the CA's servers. What is not mended within 10 s of waiting is thrown, with
 * `retryAt` where the CA named one.
 */
export async function withRetries<T>(run: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  const beganAt = clock.now();
  let sleptMs = 0;
  for (let retries = 0; ; retries++) {
    try {
      return await run();
    } catch (error) {
      const pauseMs = pauseBefore(error, retries, maxSleepMs - sleptMs);
      // A CA that is silent for long holds a worker once, not five times.
      const isSlow = clock.now() - beganAt - sleptMs > maxSleepMs;
      if (pauseMs === undefined || isSlow) throw error;
      await clock.sleep(pauseMs, signal);
      sleptMs += pauseMs;
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
