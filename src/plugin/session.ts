import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { orAborted } from '../core/wait.ts';

export interface Opened<T> {
  readonly value: T;
  /** From then on it is not used any more. */
  readonly goodUntil: Instant;
}

/** A token or login that is good for a while: for an API that takes no lasting credentials with each request. */
export interface Session<T> {
  /** As long as it is good the same; opened once for all who ask meanwhile. */
  get(signal: AbortSignal): Promise<T>;
  /** To be kept from the beginning of a request, for `drop`: how often one was opened or forgotten until now. */
  turn(): number;
  /**
   * Forgets the one that a request went with which the vendor did not take. false: another would fare no better, since it
   * was opened after the request began.
   */
  drop(begunAt: number): boolean;
}

export function createSession<T>(
  open: (signal: AbortSignal) => Promise<Opened<T>>,
  { now }: Pick<Clock, 'now'>,
): Session<T> {
  // Counted, not timed: a session may be opened and used within one millisecond.
  let turn = 0;
  let held: (Opened<T> & { readonly openedAt: number }) | undefined;
  let dropped: { readonly openedAt: number; readonly at: number } | undefined;
  let opening: { readonly opened: Promise<T>; readonly signal: AbortSignal } | undefined;

  async function openNow(signal: AbortSignal): Promise<T> {
    try {
      held = { ...(await open(signal)), openedAt: ++turn };
      return held.value;
    } finally {
      opening = undefined;
    }
  }

  async function get(signal: AbortSignal): Promise<T> {
    for (;;) {
      if (held !== undefined && now() < held.goodUntil) return held.value;
      const flight = opening ?? { opened: openNow(signal), signal };
      opening = flight;
      try {
        return await orAborted(flight.opened, signal);
      } catch (error) {
        // Somebody else gave up who had begun it.
        if (signal.aborted || !flight.signal.aborted) throw error;
      }
    }
  }

  return {
    get,
    turn: () => turn,
    drop(begunAt) {
      if (held !== undefined && held.openedAt <= begunAt) {
        dropped = { openedAt: held.openedAt, at: ++turn };
        held = undefined;
        return true;
      }
      // Somebody else dropped the one that this request went with.
      return dropped !== undefined && dropped.openedAt <= begunAt && dropped.at > begunAt;
    },
  };
}
