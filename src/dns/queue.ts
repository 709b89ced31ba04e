import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

/** Something that leaves with the next flight. */
export interface Waiting {
  readonly flyAt: Instant;
  /** It need not linger where a flight has just ended. */
  readonly hurries: boolean;
}

/** Gathers what comes at about the same time; at most one flight is out. */
export interface Queue<T extends Waiting> {
  push(item: T): void;
  /** All that wait now, for the flight that calls it. */
  take(): readonly T[];
  /** Sends off what waits; resolves when no flight is out. */
  hurry(): Promise<void>;
}

/** `depart` is one flight and never rejects; `emptied` is called when nothing waits and no flight is out. */
export function createQueue<T extends Waiting>(
  clock: Clock,
  { depart, emptied }: { readonly depart: () => Promise<void>; readonly emptied: () => void },
): Queue<T> {
  let waiting: T[] = [];
  let flight: Promise<void> | undefined;
  let cancelTimer = () => {};

  /** While a flight is out nothing lingers: its end takes all that gathered. */
  function schedule(): void {
    if (flight !== undefined) return;
    cancelTimer();
    const flyAt = Math.min(...waiting.map((item) => item.flyAt));
    cancelTimer = clock.after(Math.max(0, flyAt - clock.now()), takeOff);
  }

  function takeOff(): void {
    cancelTimer();
    if (flight === undefined) flight = depart().finally(landed);
  }

  function landed(): void {
    flight = undefined;
    if (waiting.length === 0) emptied();
    else if (waiting.some(({ hurries }) => hurries)) takeOff();
    else schedule();
  }

  return {
    push(item) {
      waiting.push(item);
      schedule();
    },
    take() {
      const taken = waiting;
      waiting = [];
      return taken;
    },
    async hurry() {
      takeOff();
      await flight;
    },
  };
}
