import type { Clock } from '../core/ports.ts';

/**
 * What `work` resolves with; after `ms` its signal aborts with the error that `late` makes, which is thrown. A part that
 * does not heed its signal, as a plugin may, is left behind.
 */
export async function inTime<T>(
  { clock, ms, late }: { readonly clock: Clock; readonly ms: number; readonly late: () => Error },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let cancel = () => {};
  const isLate = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => {
      const error = late();
      controller.abort(error);
      reject(error);
    });
  });
  return Promise.race([work(controller.signal), isLate]).finally(() => cancel());
}
