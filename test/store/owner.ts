/** A process that owns a data directory, for tests that kill it: `node owner.js DATADIR`. It runs until SIGTERM. */

import { systemClock } from '../../src/clock.ts';
import { startEmbedded } from '../../src/store/embedded.ts';
import { silentLog } from './samples.ts';

const dataDir = process.argv[2] ?? '';
try {
  const server = await startEmbedded({
    dataDir,
    environment: process.env,
    clock: systemClock,
    log: silentLog,
  });
  process.stdout.write(`serving ${server.pid()}\n`);
  const alive = setInterval(() => {}, 60_000);
  process.once('SIGTERM', () => {
    clearInterval(alive);
    server.stop().then(() => process.stdout.write('stopped\n'));
  });
} catch (error) {
  process.stdout.write(`refused ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
