import { readFile } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';

/** Runs file system work; what the system refuses becomes `deploy.target` with the path and what to do about it. */
export async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AgentError || !isSystemError(error)) throw error;
    throw targetError(error.path ?? path, remedy(error), error);
  }
}

/** undefined: there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  return guarded(file, () =>
    readFile(file, 'utf8').catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }),
  );
}

/** `deploy.target` about one path. */
export function targetError(path: string, sentence: string, cause?: NodeJS.ErrnoException): AgentError {
  const facts = { path, errno: cause?.code };
  return new AgentError('deploy.target', `${path}: ${sentence}`, { facts, cause });
}

export function isSystemError(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return codes.length === 0 || codes.includes(String(error.code));
}

function remedy(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; free some space there';
    case 'EACCES':
      return `user ${process.geteuid?.() ?? 'of the agent'} may not do this (${error.syscall}); give it the right to write there`;
    case 'EPERM':
      return `only root may do this (${error.syscall}); run the agent as root, or as the owner and a member of the group named for this target`;
    case 'EROFS':
      return 'the file system is read-only; choose another path or mount it for writing';
    case 'ENOTSUP':
      return 'the file system takes no folders; choose another path';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'something that is not a directory is in the way; move it or choose another path';
    case 'ENAMETOOLONG':
      return 'the name is too long for this file system; choose a shorter path';
    default:
      return error.message;
  }
}
