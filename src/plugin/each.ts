import { isAgentError } from '../core/errors.ts';
import type { ChangeOutcome, ProviderTraits } from '../core/provider.ts';

/** Calls of one `apply` that are under way at once. */
const most = 5;

/**
 * Runs each item, as many at once as `serialize` lets: items that share what it names go one after the other. What `run`
 * throws ends it all: nothing more is begun, what is under way is waited for, then it is thrown. Results in order.
 */
export async function each<Item extends { readonly name: string }, Result>(
  items: readonly Item[],
  serialize: ProviderTraits['serialize'],
  run: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = new Map<Item, Result>();
  const waiting = linesOf(items, serialize);
  let failed: { readonly error: unknown } | undefined;

  async function work(): Promise<void> {
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
      for (const item of line) {
        if (failed !== undefined) return;
        try {
          results.set(item, await run(item));
        } catch (error) {
          failed ??= { error };
        }
      }
    }
  }

  await Promise.all(Array.from({ length: most }, work));
  if (failed !== undefined) throw failed.error;
  return items.map((item) => results.get(item) as Result);
}

/** A refusal of what was asked is the outcome of a change; any other fault ends the call. */
export async function outcomeOf(work: Promise<string | undefined>): Promise<ChangeOutcome> {
  try {
    return { ok: true, handle: await work };
  } catch (error) {
    if (isAgentError(error, 'provider.invalid') || isAgentError(error, 'provider.forbidden'))
      return { ok: false, error };
    throw error;
  }
}

/** Each name once. */
export function namesOf(changes: readonly { readonly name: string }[]): readonly string[] {
  return [...new Set(changes.map(({ name }) => name))];
}

/** Changes of one name stay in order in any case. */
function linesOf<Item extends { readonly name: string }>(
  items: readonly Item[],
  serialize: ProviderTraits['serialize'],
): Item[][] {
  if (serialize === 'zone' || serialize === 'account') return [[...items]];
  const lines = new Map<string, Item[]>();
  for (const item of items) lines.set(item.name, [...(lines.get(item.name) ?? []), item]);
  return [...lines.values()];
}
