import { deferred } from '../deferred.ts';

/** What can go wrong with the next request that fits. */
export interface Faults {
  /** Refused for haste, with Retry-After if seconds are given. */
  throttleNext(retryAfterSeconds?: number): void;
  /** A fault of the server before anything is done. */
  failNext(times?: number): void;
  /** From now on so many of all requests, from 0 to 1, meet a fault before anything is done. */
  shake(share: number): void;
  /** From now on, or no more: whoever is known has no right to anything. */
  deny(denied: boolean): void;
  /** The next request that writes is done, but its answer does not arrive. */
  loseNext(): void;
  /** The next request that writes waits, before anything is done, until `release`; `reached` resolves when it is there. */
  hangNext(): { readonly reached: Promise<void>; release(): void };
}

interface Fault {
  readonly why: 'haste' | 'fault' | 'lost' | 'held';
  readonly writes: boolean;
  readonly retryAfterSeconds?: number | undefined;
  readonly onReached?: (() => void) | undefined;
  readonly held?: Promise<void> | undefined;
}

interface Taking {
  take(writes: boolean): Fault | undefined;
  denies(): boolean;
}

export function createFaults(firstShare: number): Faults & Taking {
  const faults: Fault[] = [];
  let share = firstShare;
  let denied = false;
  let seed = 1;
  /** The same in each run. */
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  return {
    throttleNext: (retryAfterSeconds) => void faults.push({ why: 'haste', writes: false, retryAfterSeconds }),
    failNext(times = 1) {
      for (let count = 0; count < times; count++) faults.push({ why: 'fault', writes: false });
    },
    shake(now) {
      share = now;
    },
    deny(now) {
      denied = now;
    },
    denies: () => denied,
    loseNext: () => void faults.push({ why: 'lost', writes: true }),
    hangNext() {
      const [reached, released] = [deferred(), deferred()];
      faults.push({ why: 'held', writes: true, onReached: reached.resolve, held: released.promise });
      return { reached: reached.promise, release: released.resolve };
    },
    take(writes) {
      const index = faults.findIndex((fault) => writes || !fault.writes);
      const [fault] = index < 0 ? [] : faults.splice(index, 1);
      fault?.onReached?.();
      return fault ?? (random() < share ? { why: 'fault', writes: false } : undefined);
    },
  };
}
