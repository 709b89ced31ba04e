import { mkdir, stat } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';

/** Makes the data directory, 0700, or throws what is wrong with the one that is there. */
export async function prepareDataDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const { mode } = await stat(path);
    if ((mode & 0o027) === 0) return;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new AgentError('config.unreadable', `the data directory ${path} cannot be made or read (${code})`, {
      cause,
    });
  }
  throw new AgentError(
    'config.unreadable',
    `others may enter or write the data directory ${path}; run chmod 700 ${path}`,
  );
}
