import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { AgentError } from '../../src/core/errors.ts';
import { runPart } from '../support/run-folder.ts';

const made: Error[] = [];

/** Keeps every AgentError of this process, thrown or not, for the search for secrets. */
export function recordErrors(): void {
  class Recorded extends Error {
    constructor(message?: string, options?: ErrorOptions) {
      super(message, options);
      // Before this one is taken in: its code and facts are only set when we return.
      if (made.length >= 500) writeErrors();
      made.push(this);
    }
  }
  // The class has no hook and needs none but here: `super(…)` calls whatever is its prototype at that moment.
  Object.setPrototypeOf(AgentError, Recorded);
}

/** For work that makes more of them than can be kept, and prints none. */
export function withoutRecording<T>(work: () => T): T {
  const recorded: unknown = Object.getPrototypeOf(AgentError);
  Object.setPrototypeOf(AgentError, Error);
  try {
    return work();
  } finally {
    Object.setPrototypeOf(AgentError, recorded as object);
  }
}

/** Message, facts, stack and causes, as somebody would print them. */
export function writeErrors(): void {
  const text = made.splice(0).map((error) => inspect(error, { depth: 6, maxStringLength: 100_000 }));
  if (text.length > 0)
    appendFileSync(join(runPart('errors'), `${process.pid}`), `${text.join('\n')}\n`, { mode: 0o600 });
}
