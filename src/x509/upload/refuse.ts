import { AgentError } from '../../core/errors.ts';

/** What is wrong with an upload, in one sentence; what a parser says of the bytes of a key is nobody's business. */
export function refuse(message: string): AgentError {
  return new AgentError('command.invalid', message);
}

/** Runs a reader of structures; whatever it trips over becomes this one sentence. */
export function readOr<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw refuse(message);
  }
}
