import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Instant } from '../core/types.ts';
import { type Access, createFile, syncDirectory } from './access.ts';
import { guarded } from './fault.ts';

/** What a writer left that died. */
const deadMs = 2 * 60_000;

/** A file that is on disk in full and not yet in its place. */
export interface Draft {
  /** By one rename. */
  putInPlace(): Promise<void>;
  /** Takes it away again; does nothing once it is in place. */
  discard(): Promise<void>;
}

/** Names of drafts begin with a dot, so that programs which read whole folders pass them over. */
export async function writeDraft(file: string, content: string, access: Access): Promise<Draft> {
  const folder = dirname(file);
  const draft = join(folder, `${prefixOf(file)}${randomBytes(6).toString('hex')}`);
  try {
    await createFile(draft, content, access);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return {
    async putInPlace() {
      await guarded(file, () => rename(draft, file));
      await syncDirectory(folder);
    },
    discard: () => guarded(draft, () => rm(draft, { force: true })),
  };
}

export async function writeWhole(file: string, content: string, access: Access): Promise<void> {
  const draft = await writeDraft(file, content, access);
  try {
    await draft.putInPlace();
  } catch (error) {
    await draft.discard();
    throw error;
  }
}

export async function removeFile(file: string): Promise<void> {
  await guarded(file, () => rm(file, { force: true }));
  await syncDirectory(dirname(file));
}

/** Takes away drafts of this file whose writers were killed. */
export async function sweepDrafts(file: string, now: Instant): Promise<void> {
  const folder = dirname(file);
  for (const name of await guarded(folder, () => readdir(folder))) {
    if (!name.startsWith(prefixOf(file))) continue;
    const facts = await stat(join(folder, name)).catch(() => undefined);
    if (facts !== undefined && now - facts.mtimeMs > deadMs) await rm(join(folder, name), { force: true });
  }
}

function prefixOf(file: string): string {
  return `.${basename(file)}.draft-`;
}
