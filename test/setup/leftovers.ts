import { endProcesses, processesOf } from '../support/run-folder.ts';

/**
 * Ends what the tests of a run started and did not end: servers of a test process that was killed, an embedded Redis
 * whose agent was. Resolves with their commands. Our own children are the runner's test processes.
 */
export function endLeftovers(folder: string): string[] {
  return endProcesses(() => processesOf(folder).filter(({ parent }) => parent !== process.pid)).map(
    ({ command }) => command,
  );
}
