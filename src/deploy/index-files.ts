import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError } from '../core/errors.ts';
import { type Access, ensureDirectory } from './access.ts';
import { guarded, isSystemError, readIfThere } from './fault.ts';
import { currentGeneration, directoryOf } from './generations.ts';
import { hasIndex, type IndexFile, indexFiles, indexFolder, type Layout, type PlacedSet } from './layout.ts';
import { pathAt, type SlotPath } from './slot-path.ts';
import { createTurns } from './turns.ts';
import { removeFile, writeWhole } from './whole-file.ts';

/** The files of a layout that tell a program of all sets below a root. */
export interface Index {
  /** Makes them say what is on disk; `without`: as if that set were gone already. */
  update(access: Access, without?: SlotPath): Promise<void>;
  /** Throws `deploy.mismatch` when they do not tell of this set as it is now. */
  expect(path: SlotPath): Promise<void>;
}

export function createIndex(root: string, layout: Layout | undefined): Index {
  const inTurn = createTurns();

  async function updateNow(access: Access, without: SlotPath | undefined): Promise<void> {
    if (!hasIndex(layout)) return;
    // Nothing was ever placed there.
    if (without !== undefined && (await namesIn(root)).length === 0) return;
    for (;;) {
      const wanted = await wantedFiles(without);
      for (const { file, content } of wanted) {
        const path = join(root, file);
        if ((await readIfThere(path)) === content) continue;
        if (dirname(path) !== root) await ensureDirectory(dirname(path), access);
        await writeWhole(path, content, access);
      }
      await removeOthers(wanted);
      // Another process may have switched a set, and written what was true before we wrote.
      if (sameFiles(await wantedFiles(without), wanted)) return;
    }
  }

  async function wantedFiles(without: SlotPath | undefined): Promise<readonly IndexFile[]> {
    const sets = await placedSets(root);
    return indexFiles(
      layout,
      sets.filter(({ link }) => link !== without?.link),
    );
  }

  async function removeOthers(wanted: readonly IndexFile[]): Promise<void> {
    const folder = indexFolder(layout);
    if (folder === undefined) return;
    const names = await namesIn(join(root, folder));
    const others = names.filter((name) => !wanted.some(({ file }) => file === join(folder, name)));
    for (const name of others.filter((one) => /^[^.].*\+.*\.json$/.test(one)))
      await removeFile(join(root, folder, name));
  }

  return {
    update: (access, without) => inTurn(root, () => updateNow(access, without)),
    async expect(path) {
      const own = await placedSet(path, basename(path.domain), basename(path.link));
      for (const { file, content } of indexFiles(layout, own)) {
        const lines = content.split('\n').filter((line) => line.includes(path.domain));
        const there = (await readIfThere(join(root, file)))?.split('\n') ?? [];
        if (lines.every((line) => there.includes(line))) continue;
        throw new AgentError(
          'deploy.mismatch',
          `${join(root, file)} does not name what lies at ${path.link}`,
        );
      }
    },
  };
}

/** All sets below a root, in a steady order. */
async function placedSets(root: string): Promise<readonly PlacedSet[]> {
  const sets: PlacedSet[] = [];
  for (const domain of await namesIn(root)) {
    for (const name of await namesIn(join(root, domain))) {
      sets.push(...(await placedSet(pathAt(root, domain, name), domain, name)));
    }
  }
  return sets;
}

/** None, where there is no link, or it is not ours. */
async function placedSet(path: SlotPath, domain: string, name: string): Promise<readonly PlacedSet[]> {
  const generation = await currentGeneration(path).catch(() => undefined);
  if (generation === undefined) return [];
  return [{ name: `${domain}+${name}`, link: path.link, directory: directoryOf(path, generation) }];
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await guarded(folder, () =>
    readdir(folder).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }),
  );
  return names.filter((name) => !name.startsWith('.')).toSorted();
}

function sameFiles(one: readonly IndexFile[], other: readonly IndexFile[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
