import type { LoadedConfig, RedisConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import type { Clock, Log } from '../core/ports.ts';
import { openStore, type RedisOptions, type Store, storeExists } from '../store/index.ts';
import { readMasterKey } from './master-key.ts';

export interface OpenNeeds {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly acceptEmptyStore?: boolean | undefined;
}

export interface OpenedStore {
  readonly store: Store;
  /** Resolves with the fault when the embedded server cannot be kept running. */
  readonly failed: Promise<Error>;
  /** Closes the store, and stops the embedded server if it is ours. */
  stop(): Promise<void>;
}

/** For an agent: with no Redis in the configuration it starts its own in the data directory, and owns it. */
export async function openOwnStore(loaded: LoadedConfig, needs: OpenNeeds): Promise<OpenedStore> {
  const { redis } = loaded.config;
  const store = await open(loaded, configured(redis), needs);
  return { store, failed: new Promise(() => {}), stop: () => store.close() };
}

/** For a process beside the agent; throws `store.notRunning` when the embedded server does not run. */
export async function openOthersStore(loaded: LoadedConfig, needs: OpenNeeds): Promise<{ readonly store: Store }> {
  const { redis } = loaded.config;
  return { store: await open(loaded, configured(redis), needs) };
}

async function open(loaded: LoadedConfig, redis: RedisOptions, needs: OpenNeeds): Promise<Store> {
  const { dataDir, masterKey, redis: wanted } = loaded.config;
  const { clock, log, acceptEmptyStore } = needs;
  const { prefix } = wanted;
  const key = await readMasterKey(masterKey, () => storeExists({ redis, prefix, clock, log }));
  const durability = wanted.durability === 'relaxed' ? 'relaxed' : 'required';
  return openStore({ redis, prefix, masterKeys: [key], durability, dataDir, acceptEmptyStore, clock, log });
}

export function isEmbedded({ url, sentinels, cluster }: RedisConfig): boolean {
  return url === undefined && sentinels === undefined && cluster === undefined;
}

function configured({ url, username, password, tls, sentinels, sentinelName, cluster }: RedisConfig): RedisOptions {
  return {
    url,
    username,
    password,
    sentinels,
    sentinelName,
    cluster,
    tls: tls && { caPem: tls.ca, certificatePem: tls.cert, privateKeyPem: tls.key },
  };
}
