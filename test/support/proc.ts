import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** Kernel ticks since boot; together with the id it names one process for good. */
  readonly startedAt: string;
  /** Arguments, joined by blanks. */
  readonly command: string;
}

/** From /proc; undefined when no such process runs, or there is no /proc. */
export function readProcess(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name may hold blanks and brackets; the fields start behind its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only nobody has asked how.
    if (fields[0] === 'Z') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    return { pid, parent: Number(fields[1]), startedAt: fields[19] ?? '', command };
  } catch {
    return undefined;
  }
}

/** Children, their children, and so on. */
export function descendants(pid: number): ProcessFacts[] {
  const all = allProcesses();
  const found: ProcessFacts[] = [];
  const open = [pid];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const child of all.filter((one) => one.parent === parent)) {
      found.push(child);
      open.push(child.pid);
    }
  }
  return found;
}

export function allProcesses(): ProcessFacts[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(Number(name)) ?? []);
  } catch {
    return [];
  }
}

/** What the process was started with; empty for those of other users, and for servers that write their title over it. */
export function startEnvironment(pid: number): string[] {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.filter((entry) => entry.includes('='));
  } catch {
    return [];
  }
}

export function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}
