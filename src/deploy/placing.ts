import type { PluginContext } from '../plugin/context.ts';
import type { Access } from './access.ts';
import { currentGeneration, sweep, sweepAgainMs, switchTo } from './generations.ts';
import { holds } from './observed.ts';
import type { SlotPath } from './slot-path.ts';

type Files = Readonly<Record<string, string>>;

/** Resolves with the generation that holds these files, a new one unless the current one does. */
export type Place = (path: SlotPath, wanted: Files, access: Access) => Promise<number>;

export function createPlacing({ name, clock, log }: Pick<PluginContext, 'name' | 'clock' | 'log'>): Place {
  const inTurn = createTurns();

  async function placeNow(path: SlotPath, wanted: Files, access: Access): Promise<number> {
    const current = await currentGeneration(path);
    if (current !== undefined && (await holds(path, current, { files: wanted, access }))) {
      await tidy(path);
      return current;
    }
    const generation = await switchTo(path, wanted, access);
    log.info({ target: name, path: path.link, generation }, 'certificate files switched');
    await tidy(path);
    return generation;
  }

  /** What cannot be removed now is removed later; it does not make a switch that was done a failure. */
  async function tidy(path: SlotPath): Promise<void> {
    try {
      const again = await sweep(path, clock.now());
      if (again) clock.after(sweepAgainMs, () => void inTurn(path.link, () => tidy(path)));
    } catch (error) {
      log.warn({ target: name, path: path.store, error }, 'leftovers could not be removed');
    }
  }

  return (path, wanted, access) => inTurn(path.link, () => placeNow(path, wanted, access));
}

/** Runs work on the same thing one after the other, in the order asked. */
function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();

  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
