/** Work under way at once, by account or whatever shares a limit: what is slow must not be met by a crowd. */
export interface Slots {
  /** Resolves when there is room; the function frees it again. Rejects with the signal's reason. */
  take(account: string, signal: AbortSignal): Promise<() => void>;
}

export function createSlots(most: number): Slots {
  const taken = new Map<string, number>();
  const waiting = new Map<string, Set<() => void>>();

  function free(account: string): void {
    const left = (taken.get(account) ?? 1) - 1;
    if (left > 0) taken.set(account, left);
    else taken.delete(account);
    wakeNext(account);
  }

  function wakeNext(account: string): void {
    const [next] = waiting.get(account) ?? [];
    next?.();
  }

  async function take(account: string, signal: AbortSignal): Promise<() => void> {
    for (;;) {
      if (signal.aborted) {
        // It may have been woken for room that it does not take.
        wakeNext(account);
        throw signal.reason;
      }
      const count = taken.get(account) ?? 0;
      if (count < most) {
        taken.set(account, count + 1);
        let isFree = false;
        return () => {
          if (!isFree) free(account);
          isFree = true;
        };
      }
      await turn(account, signal);
    }
  }

  /** Until somebody leaves, first come first served, or the signal. */
  function turn(account: string, signal: AbortSignal): Promise<void> {
    const queue = waiting.get(account) ?? new Set();
    waiting.set(account, queue);
    return new Promise((resolve) => {
      const wake = () => {
        queue.delete(wake);
        if (queue.size === 0 && waiting.get(account) === queue) waiting.delete(account);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      queue.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  return { take };
}
