import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instant } from '../core/types.ts';
import { type Access, createFile, ensureDirectory, ensureRoot, syncDirectory } from './access.ts';
import { guarded, isSystemError, readIfThere, targetError } from './fault.ts';
import { parseGeneration, type SlotPath } from './slot-path.ts';

/** Served before the current one: these directories stay, for readers that resolved the link a moment ago. */
const keptBefore = 2;

/** What nobody refers to may belong to a writer at work until it is this old; then its writer died. */
const writerDeadMs = 2 * 60_000;

const historyFile = '.previous';

/** The generation that the link names; undefined: there is no link. Throws when something else stands there. */
export async function currentGeneration(path: SlotPath): Promise<number | undefined> {
  return guarded(path.link, async () => {
    const text = await readlink(path.link).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return undefined;
      if (isSystemError(error, 'EINVAL')) throw foreign(path);
      throw error;
    });
    if (text === undefined) return undefined;
    const generation = path.generationOf(text);
    if (generation === undefined) throw foreign(path);
    return generation;
  });
}

/**
 * Writes the files into a new directory and switches the link to it by one rename. Until that rename nothing that a
 * reader sees changes; if it is not reached, what was written is taken away. Returns the new generation.
 */
export async function switchTo(
  path: SlotPath,
  files: Readonly<Record<string, string>>,
  access: Access,
): Promise<number> {
  await ensureRoot(path.root, access);
  for (const directory of [path.domain, path.generations, path.store])
    await ensureDirectory(directory, access);
  const current = await currentGeneration(path);
  const history = current === undefined ? [] : [current, ...(await historyOf(path, current))];
  const generation = await claim(path, current ?? 0);
  try {
    await fill(
      path,
      generation,
      { ...files, [historyFile]: history.slice(0, keptBefore).join('\n') },
      access,
    );
    await guarded(path.link, async () => {
      await symlink(path.linkText(generation), temporaryLink(path, generation));
      await rename(temporaryLink(path, generation), path.link);
    });
  } catch (error) {
    await takeBack(path, generation).catch(() => undefined);
    throw error;
  }
  await syncDirectory(path.domain);
  for (const served of history.slice(keptBefore)) await discard(path, String(served));
  return generation;
}

/**
 * Removes what crashes left behind. Resolves with true when something was too young to tell from the work of another
 * writer: then sweep again after `sweepAgainMs`.
 */
export async function sweep(path: SlotPath, now: Instant): Promise<boolean> {
  const current = await currentGeneration(path);
  const referenced = current === undefined ? [] : [current, ...(await historyOf(path, current))];
  const keep = new Set(referenced.map(String));
  let young = false;
  for (const name of await namesIn(path.store)) {
    if (keep.has(name)) continue;
    const facts = await lstat(join(path.store, name)).catch(() => undefined);
    if (facts === undefined) continue;
    if (now - facts.mtimeMs > writerDeadMs) await discard(path, name);
    else young = true;
  }
  return young;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    // All of it was removed meanwhile.
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  });
}

export const sweepAgainMs = writerDeadMs + 1_000;

/** The first round of reloads of this target that counts for this generation, as noted; undefined: nothing is noted. */
export async function readAwaited(held: Held, target: string): Promise<number | undefined> {
  return parseGeneration((await readIfThere(noteOf(held, target))) ?? '');
}

export async function markAwaited(
  held: Held & { readonly access: Access },
  target: string,
  round: number,
): Promise<void> {
  const note = noteOf(held, target);
  const draft = `${note}.${randomBytes(6).toString('hex')}`;
  await createFile(draft, String(round), held.access);
  await guarded(note, () => rename(draft, note));
}

interface Held {
  readonly path: SlotPath;
  readonly generation: number;
}

function noteOf({ path, generation }: Held, target: string): string {
  return join(directoryOf(path, generation), `.awaits.${target}`);
}

export function directoryOf(path: SlotPath, generation: number): string {
  return join(path.store, String(generation));
}

/** Makes the directory of a number that nobody else has, above all that are there. */
async function claim(path: SlotPath, current: number): Promise<number> {
  return guarded(path.store, async () => {
    const there = (await readdir(path.store)).map(
      (name) => parseGeneration(name.replace(/\.link$/, '')) ?? 0,
    );
    for (let generation = Math.max(current, ...there) + 1; ; generation += 1) {
      const made = await mkdir(directoryOf(path, generation), { mode: 0o700 }).then(
        () => true,
        (error: unknown) => {
          if (isSystemError(error, 'EEXIST')) return false;
          throw error;
        },
      );
      if (made) return generation;
    }
  });
}

async function fill(
  path: SlotPath,
  generation: number,
  files: Readonly<Record<string, string>>,
  access: Access,
): Promise<void> {
  const directory = directoryOf(path, generation);
  await ensureDirectory(directory, access);
  const made = await Promise.allSettled(
    Object.entries(files).map(([name, content]) => createFile(join(directory, name), content, access)),
  );
  for (const outcome of made) if (outcome.status === 'rejected') throw outcome.reason;
  await syncDirectory(directory);
  await syncDirectory(path.store);
}

async function takeBack(path: SlotPath, generation: number): Promise<void> {
  await rm(temporaryLink(path, generation), { force: true });
  // On a network file system a rename can be reported as failed and yet be done.
  if ((await currentGeneration(path)) === generation) return;
  await discard(path, String(generation));
}

function temporaryLink(path: SlotPath, generation: number): string {
  return join(path.store, `${generation}.link`);
}

/** Generations served before this one, newest first. */
async function historyOf(path: SlotPath, generation: number): Promise<readonly number[]> {
  const text = await readFile(join(directoryOf(path, generation), historyFile), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => parseGeneration(line) ?? []);
}

async function discard(path: SlotPath, name: string): Promise<void> {
  await guarded(path.store, () => rm(join(path.store, name), { recursive: true, force: true }));
}

function foreign(path: SlotPath): Error {
  return targetError(path.link, 'was not made by acme-agent; move it away or choose another path');
}
