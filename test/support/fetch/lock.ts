import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readProcess } from '../proc.ts';

const waitMs = 200;
const patienceMs = 10 * 60_000;

/** Runs `work` while no other process does so under the same lock file; a lock of a dead process is taken over. */
export async function withLock<T>(
  file: string,
  say: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const deadline = performance.now() + patienceMs;
  let told = false;
  while (!take(file)) {
    if (performance.now() > deadline) {
      throw new Error(`another run holds ${file} for ten minutes; if there is none, delete that file`);
    }
    if (!told) say('waiting for another run that fetches servers');
    told = true;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  const mine = `${process.pid} ${readProcess(process.pid)?.startedAt ?? ''}`;
  try {
    writeFileSync(file, mine, { flag: 'wx' });
    return true;
  } catch {
    if (holderLives(file)) return false;
    rmSync(file, { force: true });
    return false;
  }
}

function holderLives(file: string): boolean {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return false;
  }
  const [pid, startedAt] = text.split(' ');
  // Empty: taken this very moment and not yet written.
  if (pid === undefined || pid === '') return true;
  const holder = readProcess(Number(pid));
  if (holder !== undefined) return holder.startedAt === startedAt;
  try {
    process.kill(Number(pid), 0);
    return startedAt === '';
  } catch {
    return false;
  }
}
