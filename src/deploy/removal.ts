import { lstat, rm, rmdir } from 'node:fs/promises';
import { syncDirectory } from './access.ts';
import { guarded, isSystemError, targetError } from './fault.ts';
import { currentGeneration } from './generations.ts';
import type { SlotPath } from './slot-path.ts';

/**
 * Takes away all that was made for a slot: the link first, so that no reader finds half of it, then every generation with
 * its key, then the directories that hold nothing else. What stands in place of the link and is not ours stays.
 */
export async function removeSlot(path: SlotPath): Promise<void> {
  if (!(await isDirectory(path.domain)) || !(await isDirectory(path.generations))) return;
  if (await isOurs(path)) await guarded(path.link, () => rm(path.link, { force: true }));
  await syncDirectory(path.domain);
  if (await isDirectory(path.store)) await guarded(path.store, () => rm(path.store, { recursive: true }));
  for (const directory of [path.generations, path.domain]) await removeEmpty(directory);
}

async function isOurs(path: SlotPath): Promise<boolean> {
  return currentGeneration(path).then(
    () => true,
    () => false,
  );
}

/** false: there is nothing. A link would lead the removal elsewhere. */
async function isDirectory(path: string): Promise<boolean> {
  return guarded(path, async () => {
    const facts = await lstat(path).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (facts !== undefined && !facts.isDirectory())
      throw targetError(path, 'is not a directory; move it away');
    return facts !== undefined;
  });
}

async function removeEmpty(directory: string): Promise<void> {
  await guarded(directory, () =>
    rmdir(directory).catch((error: unknown) => {
      if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
    }),
  );
}
