import { fetchServers, pathWithServers } from '../support/fetch/index.ts';
import { openRun } from '../support/run-folder.ts';
import { endLeftovers } from './leftovers.ts';
import { searchForSecrets } from './secrets.ts';
import { recordTerminal } from './terminal.ts';

/**
 * Before the first test file: servers on this machine, and a folder for all that the run leaves behind. After the
 * last: end what still runs, and search what was left behind for secrets.
 */
export async function setup(): Promise<() => Promise<void>> {
  const folder = openRun();
  recordTerminal();
  await fetchServers(say);
  process.env.PATH = pathWithServers();
  return async () => {
    try {
      for (const command of endLeftovers(folder)) say(`still running after the tests, ended now: ${command}`);
      await searchForSecrets();
    } catch (error) {
      // Vitest prints what a teardown throws, and then reports success.
      process.exitCode = 1;
      throw error;
    }
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
