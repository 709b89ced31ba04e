import { toAgentError } from '../core/errors.ts';
import { errorsOf } from '../core/together.ts';

/** One thing that an agent needs or should know, and how it is. */
export interface CheckItem {
  readonly name: string;
  /** warn: the agent works, but somebody should look; failed: it is not as it must be. */
  readonly level: 'ok' | 'warn' | 'failed';
  readonly message: string;
  readonly advice?: string | undefined;
}

/** What there is to say of a thing: a text where it is well. */
export type Said = string | { readonly warning: string; readonly advice?: string | undefined };

/** What `run` says of a thing, or all that it throws. */
export async function items(name: string, run: () => Promise<Said>): Promise<readonly CheckItem[]> {
  try {
    const said = await run();
    return [typeof said === 'string' ? passed(name, said) : warned(name, said.warning, said.advice)];
  } catch (error) {
    return failed(name, error);
  }
}

export function passed(name: string, message: string): CheckItem {
  return { name, level: 'ok', message };
}

export function warned(name: string, message: string, advice?: string): CheckItem {
  return { name, level: 'warn', message, advice };
}

/** One for each thing that is wrong. */
export function failed(name: string, thrown: unknown): readonly CheckItem[] {
  return errorsOf(thrown).map((one) => {
    const { message, advice } = toAgentError(one);
    return { name, level: 'failed', message: message.replace(/\s*\n\s*/g, ' ').trim(), advice };
  });
}
