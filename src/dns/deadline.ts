import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { orAborted } from '../core/wait.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** Frees the timer and the listeners. */
  end(): void;
}

/** Aborts with the first of `signals`, or after `ms` with `provider.unavailable` saying that `what` took too long. */
export function createDeadline(
  ms: number,
  what: string,
  { clock, signals }: { readonly clock: Clock; readonly signals: readonly AbortSignal[] },
): Deadline {
  const controller = new AbortController();
  const cancel = clock.after(ms, () =>
    controller.abort(
      new AgentError('provider.unavailable', `${what} did not end within ${Math.round(ms / 1000)} s`),
    ),
  );
  // Not AbortSignal.any: signals that live as long as the process would collect a follower a call.
  const stops = signals.map((signal) => onAbort(signal, () => controller.abort(signal.reason)));
  return {
    signal: controller.signal,
    end() {
      cancel();
      for (const stop of stops) stop();
    },
  };
}

/**
 * What `work` comes to, if it does so within `ms`; undefined: it takes longer, and goes on by itself. Throws the signal's
 * reason as soon as it is aborted.
 */
export async function withPatience<T>(
  work: Promise<T>,
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<{ readonly value: T } | undefined> {
  const patience = createDeadline(ms, 'what was waited for', { clock, signals: [signal] });
  try {
    return { value: await orAborted(work, patience.signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (patience.signal.aborted) return undefined;
    throw error;
  } finally {
    patience.end();
  }
}

function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run();
  else signal.addEventListener('abort', run, { once: true });
  return () => signal.removeEventListener('abort', run);
}
