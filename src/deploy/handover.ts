import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instant } from '../core/types.ts';
import { createFile, ensureRoot } from './access.ts';
import { guarded } from './fault.ts';

/** Only the agent, and programs that run as its user, may read what is handed over. */
const access = { fileMode: 0o600, directoryMode: 0o700, uid: -1, gid: -1 };

export interface Handover {
  readonly root: string;
  /** Begins the name of each directory made for this target. */
  readonly prefix: string;
  /** A directory that is older was left by an agent that was killed. */
  readonly oldestMs: number;
}

/**
 * Files in a private directory for as long as `work` lasts, however it ends. What a killed agent left of them is taken
 * away first.
 */
export async function withFiles<T>(
  { root, prefix, oldestMs }: Handover,
  { files, now }: { readonly files: Readonly<Record<string, string>>; readonly now: Instant },
  work: (directory: string) => Promise<T>,
): Promise<T> {
  await ensureRoot(root, access);
  await guarded(root, () => sweep(root, prefix, now - oldestMs));
  const directory = await guarded(root, () => mkdtemp(join(root, prefix)));
  try {
    for (const [name, content] of Object.entries(files))
      await createFile(join(directory, name), content, access);
    return await work(directory);
  } finally {
    await guarded(root, () => rm(directory, { recursive: true, force: true }));
  }
}

async function sweep(root: string, prefix: string, before: Instant): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(root, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && facts.mtimeMs < before) await rm(path, { recursive: true, force: true });
  }
}
