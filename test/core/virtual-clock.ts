import type { Clock } from '../../src/core/ports.ts';
import type { Instant } from '../../src/core/types.ts';

/** Time that moves only when a test says so. Timers run by true time; what `now` says can be wrong by a jump. */
export interface VirtualClock extends Clock {
  /** True time, as the world outside has it. */
  trueNow(): Instant;
  /** Somebody sets the clock: timers that run are not touched. */
  jump(ms: number): void;
  /** A timer of the world outside, which outlives a killed process. */
  outside(ms: number, run: () => void): void;
  /** When the next timer runs, in true time. */
  next(): Instant | undefined;
  /** Goes on to true time `at` and runs the timers of that instant. */
  moveTo(at: Instant): void;
  /** The process is gone: its timers never run, what it waited for rejects. */
  kill(error: Error): void;
}

interface Timer {
  readonly at: Instant;
  readonly run: () => void;
  readonly die?: ((error: Error) => void) | undefined;
  readonly isOutside: boolean;
}

export function createVirtualClock(start: Instant): VirtualClock {
  let time = start;
  let offset = 0;
  const timers = new Set<Timer>();

  function add(ms: number, timer: Omit<Timer, 'at'>): () => void {
    const whole: Timer = { ...timer, at: time + Math.max(0, ms) };
    timers.add(whole);
    return () => void timers.delete(whole);
  }

  function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const run = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const cancel = add(ms, { run, die: reject, isOutside: false });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  function moveTo(at: Instant): void {
    time = Math.max(time, at);
    const ripe = [...timers].filter((timer) => timer.at <= time).sort((a, b) => a.at - b.at);
    for (const timer of ripe) if (timers.delete(timer)) timer.run();
  }

  return {
    now: () => time + offset,
    trueNow: () => time,
    sleep,
    after: (ms, run) => add(ms, { run, isOutside: false }),
    jump: (ms) => {
      offset += ms;
    },
    outside: (ms, run) => void add(ms, { run, isOutside: true }),
    next: () => (timers.size === 0 ? undefined : Math.min(...[...timers].map(({ at }) => at))),
    moveTo,
    kill: (error) => {
      for (const timer of [...timers].filter(({ isOutside }) => !isOutside)) {
        timers.delete(timer);
        timer.die?.(error);
      }
    },
  };
}
