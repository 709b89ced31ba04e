import type { Clock } from './core/ports.ts';

/** Longest delay of a timer in Node; a longer one would fire at once. */
const longestTimerMs = 2_147_483_647;

export const systemClock: Clock = { now: () => Date.now(), sleep, after };

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = schedule(ms, true, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function after(ms: number, run: () => void): () => void {
  return schedule(ms, false, run);
}

function schedule(ms: number, keepsAlive: boolean, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const step = Math.min(Math.max(leftMs, 0), longestTimerMs);
    timer = setTimeout(() => (leftMs > step ? wait(leftMs - step) : run()), step);
    if (!keepsAlive) timer.unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}
