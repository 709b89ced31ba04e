import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcess } from './proc.ts';

/** Names the folder of one test run in the environment of its processes; set by the global setup. */
export const runFolderVariable = 'ACME_AGENT_TEST_RUN';

const prefix = 'acme-agent-run-';
const own: string[] = [];

/** Folder of this run, mode 0700, removed at its end; outside of a test run (demo, bench) one of this process. */
export function runFolder(): string {
  const shared = process.env[runFolderVariable];
  if (shared !== undefined) return shared;
  const first = own[0];
  if (first !== undefined) return first;
  const made = makeRunFolder();
  own.push(made);
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Makes one that belongs to this process, and removes those whose process was killed before it could. */
export function makeRunFolder(): string {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    if (ownerIsGone(folder)) rmSync(folder, { recursive: true, force: true });
  }
  const made = mkdtempSync(join(tmpdir(), prefix));
  writeFileSync(join(made, 'owner'), `${process.pid} ${readProcess(process.pid)?.startedAt ?? ''}`);
  return made;
}

function ownerIsGone(folder: string): boolean {
  try {
    const [pid, startedAt] = readFileSync(join(folder, 'owner'), 'utf8').split(' ');
    return startedAt !== '' && readProcess(Number(pid))?.startedAt !== startedAt;
  } catch {
    // Somebody else's, or made this very moment.
    return false;
  }
}

/** A part of the run folder, made when missing. */
export function runPart(name: 'output' | 'processes' | 'secrets' | 'errors' | 'dirs'): string {
  const path = join(runFolder(), name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/**
 * A new empty folder for a server or an agent, gone at the end of the run. Logs and Redis files in it are searched
 * for secrets then; other files (keys, configuration) are not.
 */
export function testFolder(name: string): string {
  return mkdtempSync(join(runPart('dirs'), `${name}-`));
}
