import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from '../store/process-identity.ts';

const fileName = 'agent.json';

interface NamedProcess extends ProcessIdentity {
  readonly id: string;
  readonly host: string;
}

/**
 * Name of this process among the agents on one store: that of the agent which died on this data directory, so that
 * nobody waits for what a dead one said. A second agent on the directory, or a copy of it on another machine, gets its own.
 */
export async function nameAgent(dataDir: string): Promise<string> {
  const path = join(dataDir, fileName);
  const host = hostname();
  const before = await readRecord(path);
  if (before?.host === host && (await isAlive(before))) return newId(host);
  const id = before?.host === host ? before.id : newId(host);
  const own = { id, host, ...(await identify(process.pid)) };
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  await rename(draft, path);
  return id;
}

function newId(host: string): string {
  return `${host}-${randomUUID().slice(0, 8)}`;
}

async function readRecord(path: string): Promise<NamedProcess | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as NamedProcess;
  } catch {
    return undefined;
  }
}
