import { toAgentError } from '../src/core/errors.ts';
import type { Ports } from '../src/core/ports.ts';
import type { Again } from '../src/core/wait.ts';
import type { Handler } from './define.ts';

/** Work that comes round whatever happens; each may run twice. */
export interface Chore {
  readonly everyMs: number;
  /** How long after the first start of all it is due for the first time; default: at once. */
  readonly firstMs?: number | undefined;
  /** Also whenever an agent starts: it may be the one that a kill interrupted. */
  readonly atStart?: boolean | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** Work that somebody asked for, under the id `<name>/<argument>`. Comes back when it says so, and may run twice. */
export type Errand = (argument: string, signal: AbortSignal) => Promise<Again | undefined>;

export type UpkeepNeeds = Pick<Ports, 'changes' | 'due' | 'clock' | 'log'>;

/** A chore that failed, or whose agent was killed, comes round after this, or earlier if it does so anyway. */
const retryMs = 30 * 60_000;

/** id: name of the chore, or of the errand with its argument. The failure of a chore is told once, until it succeeds. */
export function upkeepHandler(
  chores: Readonly<Record<string, Chore>>,
  { changes, due, clock, log }: UpkeepNeeds,
  errands: Readonly<Record<string, Errand>> = {},
): Handler {
  const failing = new Set<string>();

  async function tellFailure(chore: string, err: unknown): Promise<void> {
    if (failing.has(chore)) return log.debug({ chore, err }, 'chore failed again');
    failing.add(chore);
    log.warn({ chore, err }, 'chore failed; it is tried again');
    const { code, message } = toAgentError(err);
    await changes.commit({ events: [{ type: 'chore.failed', facts: { chore, code, message } }] });
  }

  return async (id, signal) => {
    const chore = chores[id];
    const dueAt = (at: number | undefined) => changes.commit({ due: [{ job: 'upkeep', id, at }] });
    const [name = ''] = id.split('/', 1);
    const again = await errands[name]?.(id.slice(name.length + 1), signal);
    if (again !== undefined) return again;
    if (chore === undefined) {
      await dueAt(undefined);
      return undefined;
    }
    const retryAt = clock.now() + Math.min(chore.everyMs, retryMs);
    await dueAt(retryAt);
    try {
      await chore.run(signal);
    } catch (err) {
      // What an agent that ends breaks off is no fault.
      if (!signal.aborted) await tellFailure(id, err);
      return undefined;
    }
    if (failing.delete(id)) log.info({ chore: id }, 'chore succeeds again');
    // Whoever asked for it earlier while it ran has the last word.
    if ((await due.at('upkeep', id)) === retryAt) await dueAt(clock.now() + chore.everyMs);
    return undefined;
  };
}

/**
 * Chores of the start, and those that a wrong clock put too far ahead, are due at once; those that nobody has scheduled
 * yet when they say so; the others keep their instant.
 */
export async function scheduleChores(
  chores: Readonly<Record<string, Chore>>,
  { changes, due, clock }: Pick<Ports, 'changes' | 'due' | 'clock'>,
): Promise<void> {
  const now = clock.now();
  const entries = await Promise.all(
    Object.entries(chores).map(async ([id, { atStart, everyMs, firstMs = 0 }]) => {
      const known = await due.at('upkeep', id);
      const isKept = atStart !== true && known !== undefined && known <= now + everyMs;
      const at = known === undefined && atStart !== true ? now + firstMs : now;
      return isKept ? [] : [{ job: 'upkeep' as const, id, at }];
    }),
  );
  const fresh = entries.flat();
  if (fresh.length > 0) await changes.commit({ due: fresh });
}
