import { randomBytes } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../core/errors.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

export interface OwnerLock {
  release(): Promise<void>;
}

const fileName = 'agent.lock';
const tries = 10;

/**
 * Makes this process the one owner of a data directory, until it releases or dies. Throws `store.running` when another
 * process owns it.
 */
export async function ownDataDir(dataDir: string): Promise<OwnerLock> {
  const path = join(dataDir, fileName);
  const self = await identify(process.pid);
  if (self === undefined) throw new AgentError('bug', 'this process cannot see itself in the process table');
  const text = JSON.stringify({ ...self, nonce: randomBytes(8).toString('hex') });
  for (let attempt = 0; attempt < tries; attempt++) {
    if (await claim(path, text).catch(refuse(path))) return { release: () => release(path, text) };
    await removeIfStale(path, dataDir);
  }
  throw new AgentError('store.running', `other agents keep starting on the data directory ${dataDir}`);
}

/** Throws `store.running` when a process owns the data directory; takes nothing. */
export async function refuseOwned(dataDir: string): Promise<void> {
  const seen = await readText(join(dataDir, fileName));
  if (seen !== undefined) await refuseLiving(seen, dataDir);
}

async function refuseLiving(seen: string, dataDir: string): Promise<void> {
  const owner = parse(seen);
  if (owner !== undefined && (await isAlive(owner)))
    throw new AgentError(
      'store.running',
      `an agent (process ${owner.pid}) already owns the data directory ${dataDir}`,
    );
}

function refuse(path: string): (cause: unknown) => never {
  return (cause) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('config.unwritable', `the lock file ${path} cannot be written: ${reason}`, {
      cause,
    });
  };
}

/** A link appears with its whole content, and only if the name is free. */
async function claim(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function removeIfStale(path: string, dataDir: string): Promise<void> {
  const seen = await readText(path);
  if (seen === undefined) return;
  await refuseLiving(seen, dataDir);
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  if (!(await succeeds(rename(path, aside)))) return;
  // Another starter may have removed the stale lock and taken its own in between: then that one is put back.
  if ((await readText(aside)) !== seen) await succeeds(link(aside, path));
  await succeeds(unlink(aside));
}

async function release(path: string, text: string): Promise<void> {
  if ((await readText(path)) === text) await succeeds(unlink(path));
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(text) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function succeeds(step: Promise<unknown>): Promise<boolean> {
  return step.then(
    () => true,
    () => false,
  );
}
