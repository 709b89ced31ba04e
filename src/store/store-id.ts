import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../core/errors.ts';
import { makeFolder } from '../folder.ts';

const fileName = 'store-id';

/** Which store this data directory belongs to; undefined: none yet. */
export async function knownStoreId(dataDir: string): Promise<string | undefined> {
  const path = join(dataDir, fileName);
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new AgentError('config.unreadable', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

export async function rememberStoreId(dataDir: string, storeId: string): Promise<void> {
  const path = join(dataDir, fileName);
  try {
    await makeFolder(dataDir, 0o700);
    await writeFile(`${path}.new`, `${storeId}\n`, { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw new AgentError('config.unwritable', `${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
