import { join, resolve } from 'node:path';
import { systemClock } from '../clock.ts';
import type { LoadedConfig } from '../config/config.ts';
import { readEnvironment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { createLog } from '../log.ts';
import { backupFileName, rotateBackups } from '../store/backup.ts';
import { readBackupFile, readBackupHeader } from '../store/backup-file.ts';
import { createCrypt, keyName } from '../store/crypt.ts';
import type { Store } from '../store/index.ts';
import { restoreStore } from '../store/restore.ts';
import { tryDataDir } from './data-dir.ts';
import { findMasterKey } from './master-key.ts';
import { isEmbedded, openOthersStore, withRedis } from './open.ts';

/** Writes all state into one encrypted file, mode 0600. The agent may run meanwhile; with an embedded store it must. */
export async function backupAgent(loaded: LoadedConfig, file: string): Promise<void> {
  const { store } = await openOthersStore(loaded, needs());
  try {
    await store.backup(resolve(file));
  } finally {
    await store.close();
  }
}

/**
 * Fills the store from a backup file; it must be empty unless `force`. The master key must be there: none is made. No
 * agent may run on it: with an embedded store that is certain, and the server runs for the restore alone.
 */
export async function restoreAgent(
  loaded: LoadedConfig,
  file: string,
  { force }: { force: boolean },
): Promise<void> {
  const { masterKey: source, redis, dataDir } = loaded.config;
  const masterKey = await findMasterKey(source);
  if (masterKey === undefined) throw await missingFor(file, source);
  // All that can be wrong with the file shows here, before anything is made or started.
  await readBackupFile(file, createCrypt([masterKey]));
  await tryDataDir(dataDir);
  await withRedis(loaded, needs(), async (options) => {
    await restoreStore({ ...options, file, force, owned: isEmbedded(redis) });
  });
}

async function missingFor(file: string, source: LoadedConfig['config']['masterKey']): Promise<AgentError> {
  const { storeId, createdAt, keyCheck } = await readBackupHeader(file);
  const place = 'file' in source ? source.file : 'the environment';
  return new AgentError(
    'store.masterKey',
    `the backup ${file} (of store ${storeId}, ${new Date(createdAt).toISOString()}) opens only with the master key ${keyName(keyCheck)}, and there is no key in ${place}`,
  );
}

/** One more file in the data directory's folder of backups, and fewer old ones. */
export async function backupByItself(store: Store, dataDir: string, clock: Clock): Promise<void> {
  const folder = join(dataDir, 'backups');
  await store.backup(join(folder, backupFileName(clock.now())));
  await rotateBackups(folder);
}

function needs() {
  return { environment: readEnvironment(), clock: systemClock, log: createLog({ level: 'error' }) };
}
