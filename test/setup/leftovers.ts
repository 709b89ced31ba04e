import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readProcess } from '../support/proc.ts';
import { runPart } from '../support/run-folder.ts';

const recorded = z.object({ pid: z.number(), startedAt: z.string().optional() });

/** Ends what a test process started and did not end (it was killed itself); resolves with their commands. */
export function endLeftovers(): string[] {
  const folder = runPart('processes');
  return readdirSync(folder).flatMap((file) => {
    const { pid, startedAt } = recorded.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
    const now = pid === 0 ? undefined : readProcess(pid);
    // The same number may be another process by now; a process that was not there to begin with has no start.
    if (now === undefined || startedAt === undefined || now.startedAt !== startedAt) return [];
    process.kill(pid, 'SIGKILL');
    return [now.command];
  });
}
