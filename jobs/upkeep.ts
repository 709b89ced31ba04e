import type { Ports } from '../src/core/ports.ts';
import type { Handler } from './define.ts';

/** Work that comes round whatever happens; each may run twice. */
export interface Chore {
  readonly everyMs: number;
  /** Also whenever an agent starts: it may be the one that a kill interrupted. */
  readonly atStart?: boolean | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** id: name of the chore. A chore that fails comes round again like one that did not. */
export function upkeepHandler(
  chores: Readonly<Record<string, Chore>>,
  { changes, clock, log }: Pick<Ports, 'changes' | 'clock' | 'log'>,
): Handler {
  return async (id, signal) => {
    const chore = chores[id];
    const at = chore === undefined ? undefined : clock.now() + chore.everyMs;
    await changes.commit({ due: [{ job: 'upkeep', id, at }] });
    try {
      await chore?.run(signal);
    } catch (err) {
      log.warn({ chore: id, err }, 'chore failed; it comes round again');
    }
    return undefined;
  };
}

/**
 * Chores of the start, those that nobody has scheduled yet, and those that a wrong clock put too far ahead are due at
 * once; the others keep their instant.
 */
export async function scheduleChores(
  chores: Readonly<Record<string, Chore>>,
  { changes, due, clock }: Pick<Ports, 'changes' | 'due' | 'clock'>,
): Promise<void> {
  const now = clock.now();
  const known = await Promise.all(
    Object.entries(chores).map(async ([id, chore]) => ({ id, chore, at: await due.at('upkeep', id) })),
  );
  const fresh = known.filter(
    ({ chore, at }) => chore.atStart === true || at === undefined || at > now + chore.everyMs,
  );
  if (fresh.length > 0)
    await changes.commit({ due: fresh.map(({ id }) => ({ job: 'upkeep' as const, id, at: now })) });
}
