import { constants } from 'node:fs';
import { chmod, chown, lstat, access as mayAccess, mkdir, open, stat } from 'node:fs/promises';
import type { RunChild } from '../core/child.ts';
import { AgentError } from '../core/errors.ts';
import { together } from '../core/together.ts';
import { makeFolder, nearestExisting } from '../folder.ts';
import { guarded, isSystemError, targetError } from './fault.ts';

/** Who may read what a target holds. */
export interface Access {
  readonly fileMode: number;
  readonly directoryMode: number;
  /** -1: whoever the agent runs as. */
  readonly uid: number;
  readonly gid: number;
}

export interface AccessWish {
  readonly mode: '0600' | '0640';
  /** Names or numbers. */
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
}

/** Looks the names up on this machine; throws `deploy.target` for one that it does not know. */
export async function resolveAccess(wish: AccessWish, run: RunChild): Promise<Access> {
  const groupReads = wish.mode === '0640';
  return {
    fileMode: groupReads ? 0o640 : 0o600,
    directoryMode: groupReads ? 0o750 : 0o700,
    uid: await idOf('passwd', wish.owner, run),
    gid: await idOf('group', wish.group, run),
  };
}

/** Makes the root of a target where it is missing; an existing one stays as it is, if nobody else can put things into it. */
export async function ensureRoot(path: string, access: Access): Promise<void> {
  await guarded(path, async () => {
    const made = await makeFolder(path);
    if (made !== undefined) return give(path, access.directoryMode, access);
    refuseStrangers(path, await stat(path));
  });
}

/** Whether `ensureRoot` and what follows it would succeed, as far as that shows without a change; throws all that is wrong. */
export async function tryRoot(path: string, wish: AccessWish, run: RunChild): Promise<void> {
  const ids = together([idOf('passwd', wish.owner, run), idOf('group', wish.group, run)]);
  await together([tryFolder(path), ids.then(([uid, gid]) => tryGiving(path, uid, gid))]);
}

async function tryFolder(path: string): Promise<void> {
  await guarded(path, async () => {
    const existing = await nearestExisting(path);
    const facts = await stat(existing);
    if (!facts.isDirectory())
      throw targetError(existing, 'is not a directory; move it or choose another path');
    await mayAccess(existing, constants.W_OK | constants.X_OK);
    if (existing === path) refuseStrangers(path, facts);
  });
}

function tryGiving(path: string, uid: number, gid: number): void {
  const euid = process.geteuid?.();
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  const mayGive = euid === 0 || ([-1, euid].includes(uid) && [-1, ...groups].includes(gid));
  if (!mayGive)
    throw targetError(
      path,
      'only root may give files away; run the agent as root, or as the owner and a member of the group named for this target',
    );
}

function refuseStrangers(path: string, facts: { readonly mode: number; readonly uid: number }): void {
  const strangersWrite = (facts.mode & 0o002) !== 0 && facts.uid !== process.geteuid?.();
  if (strangersWrite)
    throw targetError(
      path,
      'everybody may write there; take that right away ("chmod o-w") or choose another path',
    );
}

/** Makes a directory below the root, or sees that it is ours and has the wanted mode and owner. */
export async function ensureDirectory(path: string, access: Access): Promise<void> {
  await guarded(path, async () => {
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (!isSystemError(error, 'EEXIST')) throw error;
    });
    const facts = await lstat(path);
    if (!facts.isDirectory()) throw targetError(path, 'is not a directory; move it away');
    if (![process.geteuid?.(), access.uid, 0].includes(facts.uid))
      throw targetError(path, `belongs to user ${facts.uid}; remove it or give it to the agent`);
    if (!isGiven(facts, access.directoryMode, access)) await give(path, access.directoryMode, access);
  });
}

/** A new file that never had wider rights, nor another owner, than it is to have; on disk when this returns. */
export async function createFile(path: string, content: string, access: Access): Promise<void> {
  await guarded(path, async () => {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.chown(access.uid, access.gid);
      await file.chmod(access.fileMode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** Makes names that were created, renamed or removed in a directory safe on disk. */
export async function syncDirectory(path: string): Promise<void> {
  await guarded(path, async () => {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  });
}

export function isGiven(
  facts: { readonly mode: number; readonly uid: number; readonly gid: number },
  mode: number,
  access: Access,
): boolean {
  const sameOwner = access.uid === -1 || facts.uid === access.uid;
  const sameGroup = access.gid === -1 || facts.gid === access.gid;
  return (facts.mode & 0o7777) === mode && sameOwner && sameGroup;
}

async function give(path: string, mode: number, access: Access): Promise<void> {
  await chown(path, access.uid, access.gid);
  await chmod(path, mode);
}

/** By the system's own look-up, which also knows users of a directory service. */
async function idOf(base: 'passwd' | 'group', value: string | undefined, run: RunChild): Promise<number> {
  if (value === undefined) return -1;
  if (/^\d+$/.test(value)) return Number(value);
  const line = await run({ command: ['getent', base, value] }).then(
    (result) => result.stdout,
    () => '',
  );
  const id = line.split(':')[2];
  if (id !== undefined && /^\d+$/.test(id)) return Number(id);
  const noun = base === 'passwd' ? 'user' : 'group';
  throw new AgentError('deploy.target', `this machine has no ${noun} "${value}"; add it or give its number`, {
    facts: { [noun]: value },
  });
}
