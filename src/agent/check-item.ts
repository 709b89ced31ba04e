import { toAgentError } from '../core/errors.ts';

/** One thing that an agent needs, and whether it is so. */
export interface CheckItem {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly advice?: string | undefined;
}

/** What `run` says of a thing that is well, or what it throws. */
export async function item(name: string, run: () => Promise<string>): Promise<CheckItem> {
  try {
    return passed(name, await run());
  } catch (error) {
    return failed(name, error);
  }
}

export function passed(name: string, message: string): CheckItem {
  return { name, ok: true, message };
}

export function failed(name: string, thrown: unknown): CheckItem {
  const { message, advice } = toAgentError(thrown);
  return { name, ok: false, message: message.replace(/\s*\n\s*/g, ' ').trim(), advice };
}
