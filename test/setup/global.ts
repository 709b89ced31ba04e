import { rmSync } from 'node:fs';
import { fetchServers, pathWithServers } from '../support/fetch/index.ts';
import { makeRunFolder, runFolderVariable } from '../support/run-folder.ts';
import { endLeftovers } from './leftovers.ts';
import { searchForSecrets } from './secrets.ts';

/**
 * Before the first test file: servers on this machine, and a folder for all that the run leaves behind. After the
 * last: end what still runs, and search what was left behind for secrets.
 */
export async function setup(): Promise<() => Promise<void>> {
  await fetchServers(say);
  const folder = makeRunFolder();
  // The processes of the tests inherit both.
  process.env[runFolderVariable] = folder;
  process.env.PATH = pathWithServers();
  return async () => {
    try {
      for (const command of endLeftovers()) say(`still running after the tests, ended now: ${command}`);
      await searchForSecrets();
    } catch (error) {
      // Vitest prints what a teardown throws, and then reports success.
      process.exitCode = 1;
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
