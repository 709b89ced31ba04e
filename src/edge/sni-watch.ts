import type { Ports, ServedChange } from '../core/ports.ts';

/** Follows the numbers of what is shown. */
export interface Watch {
  /** Numbers are not to be had now: the store is away. */
  readonly isAway: boolean;
  stop(): void;
}

/** Whatever happens to hints, a change is seen within this time. */
const pauseMs = 500;

/**
 * Asks for the numbers twice a second, at a hint at once, and tells all that changed since the first one, which is known
 * when it resolves. After a time without the store everything may have changed.
 */
export async function createWatch(
  changed: (changes: readonly ServedChange[] | 'all') => void,
  { served, clock, log }: Pick<Ports, 'served' | 'clock' | 'log'>,
): Promise<Watch> {
  let known = (await served.since(undefined)).number;
  let isAway = false;
  let isAsking = false;
  let isHinted = false;
  let isStopped = false;
  let cancel = () => {};

  async function ask(): Promise<void> {
    if (isStopped) return;
    if (isAsking) {
      isHinted = true;
      return;
    }
    isAsking = true;
    cancel();
    try {
      const found = await served.since(known);
      const changes = isAway ? 'all' : found.changed;
      known = found.number;
      if (isAway) log.info({}, 'the store is back: certificates are read anew');
      isAway = false;
      if (changes === 'all' || changes.length > 0) changed(changes);
    } catch (error) {
      if (!isAway) log.warn({ error }, 'the store is away: certificates are shown as they were last known');
      isAway = true;
    }
    isAsking = false;
    const again = isHinted && !isAway;
    isHinted = false;
    if (!isStopped) cancel = clock.after(again ? 0 : pauseMs, () => void ask());
  }

  const unlisten = served.hear(() => void ask());
  void ask();
  return {
    get isAway() {
      return isAway;
    },
    stop: () => {
      isStopped = true;
      unlisten();
      cancel();
    },
  };
}
