import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './at-end.ts';
import { allProcesses, type ProcessFacts, readProcess, startEnvironment, workingFolder } from './proc.ts';

/** Names the folder of one run in the environment of all its processes. */
const runFolderVariable = 'ACME_AGENT_TEST_RUN';
const prefix = 'acme-agent-run-';

/** Folder of this run; outside of a test run (demo, bench) one of this process. */
export function runFolder(): string {
  return process.env[runFolderVariable] ?? openRun();
}

/**
 * Begins a run that lasts as long as this process. Temporary files of everything that it starts are in its folder; at
 * the end the folder is removed, and before it what still runs. Makes up for runs that were killed before they could.
 */
export function openRun(): string {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    if (ownerIsGone(folder)) remove(folder);
  }
  const made = mkdtempSync(join(tmpdir(), prefix));
  atEnd(() => remove(made));
  writeFileSync(join(made, 'owner'), `${process.pid} ${readProcess(process.pid)?.startedAt ?? ''}`);
  const temporary = join(made, 'tmp');
  mkdirSync(temporary);
  // Closed but for who knows what is in it: some tests act as another user in temporary folders of their own.
  for (const folder of [made, temporary]) chmodSync(folder, 0o711);
  process.env[runFolderVariable] = made;
  process.env.TMPDIR = temporary;
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

function remove(folder: string): void {
  endProcesses(() => processesOf(folder));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Processes that descend from the run, whoever is their parent now. They are known by the environment that they got
 * from it (servers that an agent starts get little of that, but TMPDIR), Redis, which wipes it out, by working in the
 * folder. A person who only looks into the folder has an environment, and another one.
 */
export function processesOf(folder: string): ProcessFacts[] {
  const isMark = (entry: string) =>
    entry === `${runFolderVariable}=${folder}` || entry.startsWith(`TMPDIR=${folder}/`);
  return allProcesses().filter(({ pid }) => {
    if (pid === process.pid) return false;
    const environment = startEnvironment(pid);
    if (environment.length > 0) return environment.some(isMark);
    return workingFolder(pid)?.startsWith(`${folder}/`) === true;
  });
}

/** Kills all that `find` finds, and what those start meanwhile, until it finds nothing; returns what it killed. */
export function endProcesses(find: () => readonly ProcessFacts[]): ProcessFacts[] {
  const ended = new Map<number, ProcessFacts>();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 200; round++) {
    const found = find();
    if (found.length === 0) break;
    for (const facts of found) {
      ended.set(facts.pid, facts);
      kill(facts.pid);
    }
    Atomics.wait(pause, 0, 0, 10);
  }
  return [...ended.values()];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

export type RunPart = 'output' | 'terminal' | 'processes' | 'children' | 'secrets' | 'errors' | 'dirs';

/** A part of the run folder, made when missing. */
export function runPart(name: RunPart): string {
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
