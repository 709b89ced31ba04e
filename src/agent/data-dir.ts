import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';
import { makeFolder, nearestExisting } from '../folder.ts';

/** Makes the data directory, 0700, or throws what is wrong with the one that is there. */
export async function prepareDataDir(path: string): Promise<void> {
  await guarded(path, async () => {
    await makeFolder(path, 0o700);
    await requirePrivate(path);
  });
}

/** Whether there is a data directory; throws what keeps it from being used or made. Makes nothing. */
export async function tryDataDir(path: string): Promise<'exists' | 'can be made'> {
  return guarded(path, async () => {
    const existing = await nearestExisting(path);
    if (existing === path) await requirePrivate(path);
    await access(existing, constants.W_OK | constants.X_OK);
    return existing === path ? 'exists' : 'can be made';
  });
}

async function requirePrivate(path: string): Promise<void> {
  const facts = await stat(path);
  if (!facts.isDirectory()) throw refusal(path, notDirectory);
  if ((facts.mode & 0o027) !== 0)
    throw refusal(path, { says: 'can be entered or written by others', advice: `Run chmod 700 ${path}.` });
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw refusal(path, faults[code] ?? { says: `cannot be made or read (${code})` }, cause);
  }
}

interface Fault {
  readonly says: string;
  /** Default: that of the code. */
  readonly advice?: string | undefined;
}

const elsewhere = 'or choose another dataDir.';
const notDirectory: Fault = { says: 'is not a directory', advice: `Move it, ${elsewhere}` };

const faults: Readonly<Record<string, Fault | undefined>> = {
  EEXIST: notDirectory,
  ENOENT: {
    says: 'is a link that leads nowhere',
    advice: `Make the folder that it leads to, remove the link, ${elsewhere}`,
  },
  ENOTSUP: {
    says: 'cannot be made: its file system takes no folders',
    advice: 'Choose another dataDir.',
  },
  ENOTDIR: {
    says: 'lies below something that is not a directory',
    advice: `Move that, ${elsewhere}`,
  },
  EACCES: {
    says: `may not be made or written by user ${process.geteuid?.()}`,
    advice: `Give it to that user, ${elsewhere}`,
  },
  EROFS: {
    says: 'is on a read-only file system',
    advice: `Mount it for writing, ${elsewhere}`,
  },
};

function refusal(path: string, { says, advice }: Fault, cause?: unknown): AgentError {
  return new AgentError('config.unreadable', `the data directory ${path} ${says}`, { advice, cause });
}
