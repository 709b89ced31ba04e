import { isAgentError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';

/**
 * One damaged record must not stop what has nothing to do with it: what can be made anew from the rest of the store, or
 * done without, stands in for it, and the log names it once.
 */
export type Tolerate = <T>(read: () => T, instead: T) => T;

export function createTolerance(log: Log): Tolerate {
  const told = new Set<string>();
  return (read, instead) => {
    try {
      return read();
    } catch (err) {
      if (!isAgentError(err, 'store.record')) throw err;
      if (!told.has(err.message)) log.warn({ err }, 'a damaged record in the store is passed over');
      told.add(err.message);
      return instead;
    }
  };
}
