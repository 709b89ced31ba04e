import type { PluginContext } from '../plugin/context.ts';
import type { Access } from './access.ts';
import { currentGeneration, sweep, sweepAgainMs, switchTo } from './generations.ts';
import { holds } from './observed.ts';
import { removeSlot } from './removal.ts';
import type { SlotPath } from './slot-path.ts';
import { createTurns } from './turns.ts';

type Files = Readonly<Record<string, string>>;

/** Changes of one path are made one after the other. */
export interface Placing {
  /** Resolves with the generation that holds these files, a new one unless the current one does. */
  put(path: SlotPath, wanted: Files, access: Access): Promise<number>;
  /** Takes all of it away. */
  remove(path: SlotPath): Promise<void>;
}

export function createPlacing({ name, clock, log }: Pick<PluginContext, 'name' | 'clock' | 'log'>): Placing {
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

  return {
    put: (path, wanted, access) => inTurn(path.link, () => placeNow(path, wanted, access)),
    remove: (path) =>
      inTurn(path.link, async () => {
        await removeSlot(path);
        log.info({ target: name, path: path.link }, 'certificate files removed');
      }),
  };
}
