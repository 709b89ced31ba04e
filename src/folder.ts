import { lstat, mkdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** proc and sysfs, as Linux numbers them. */
const closedSystems: readonly number[] = [0x9fa0, 0x62656572];

/**
 * Makes a folder and those above it that are missing; resolves with the first one made, undefined: it was there. Rejects
 * with the system's error, ENOTSUP where no folder can be. Node's `recursive` would ask proc for one for ever.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if (isCode(error, 'EEXIST') && (await stat(path)).isDirectory()) return undefined;
    if (!isCode(error, 'ENOENT')) throw error;
  }
  const above = dirname(path);
  if (await isThere(above)) throw noFolders(path);
  const first = await makeFolder(above, mode);
  const own = await makeFolder(path, mode);
  return first ?? own;
}

/** The path itself, or the folder in which the first part of it would be made; rejects as `makeFolder` would. */
export async function nearestExisting(path: string): Promise<string> {
  let existing = path;
  while (!(await isThere(existing))) existing = dirname(existing);
  if (existing !== path && closedSystems.includes((await statfs(existing)).type)) throw noFolders(path);
  return existing;
}

/** Also of a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => {
      if (isCode(error, 'ENOENT')) return false;
      throw error;
    },
  );
}

function noFolders(path: string): Error {
  const facts = { code: 'ENOTSUP', syscall: 'mkdir', path };
  return Object.assign(new Error(`ENOTSUP: its file system takes no folders, mkdir '${path}'`), facts);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
