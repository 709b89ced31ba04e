import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import type { Clock } from '../core/ports.ts';
import { createLog } from '../log.ts';
import { backupFileName, rotateBackups } from '../store/backup.ts';
import type { Store } from '../store/index.ts';
import { restoreStore } from '../store/restore.ts';
import { openOthersStore, withRedis } from './open.ts';

const kept = 7;

/** Writes all state into one encrypted file, mode 0600. The agent may run meanwhile; with an embedded store it must. */
export async function backupAgent(loaded: LoadedConfig, file: string): Promise<void> {
  const { store } = await openOthersStore(loaded, needs());
  try {
    await store.backup(file);
  } finally {
    await store.close();
  }
}

/**
 * Fills the store from a backup file; it must be empty unless `force`. No agent may run on it: with an embedded store
 * that is checked, and the server runs for the restore alone.
 */
export async function restoreAgent(
  loaded: LoadedConfig,
  file: string,
  { force }: { force: boolean },
): Promise<void> {
  await withRedis(loaded, needs(), async (options) => {
    await restoreStore({ ...options, file, force });
  });
}

/** One more file in the data directory's folder of backups; the newest seven stay. */
export async function backupDaily(store: Store, dataDir: string, clock: Clock): Promise<void> {
  const folder = join(dataDir, 'backups');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await store.backup(join(folder, backupFileName(clock.now())));
  await rotateBackups(folder, kept);
}

function needs() {
  return { environment: readEnvironment(), clock: systemClock, log: createLog({ level: 'error' }) };
}
