import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { runFolder, runPart } from './run-folder.ts';

/** Whoever imports this has the arguments of all programs that it starts recorded, for the search for secrets. */
subscribe('child_process', (message) => {
  const { process: child } = message as { readonly process: ChildProcess };
  // It is told of before it knows its arguments.
  process.nextTick(() => {
    // An agent may outlive its run, whose folder is not to be made again.
    if (!existsSync(runFolder())) return;
    const line = `${JSON.stringify(child.spawnargs ?? [])}\n`;
    appendFileSync(join(runPart('children'), `${process.pid}`), line, { mode: 0o600 });
  });
});
