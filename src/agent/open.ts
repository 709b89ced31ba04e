import type { LoadedConfig, RedisConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import type { Clock, Log } from '../core/ports.ts';
import { connectEmbedded, startEmbedded } from '../store/embedded.ts';
import { openStore, type RedisOptions, type Store, storeExists } from '../store/index.ts';
import { findServer } from '../store/server-program.ts';
import { readMasterKey } from './master-key.ts';

export interface OpenNeeds {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly acceptEmptyStore?: boolean | undefined;
}

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store, and stops the embedded server if it is ours. */
  stop(): Promise<void>;
}

/** For an agent: with no Redis in the configuration it starts its own in the data directory, and owns it. */
export async function openOwnStore(loaded: LoadedConfig, needs: OpenNeeds): Promise<OpenedStore> {
  const { dataDir, redis } = loaded.config;
  if (!isEmbedded(redis)) {
    const store = await open(loaded, configured(redis), needs);
    return { store, stop: () => store.close() };
  }
  const { clock, log, environment } = needs;
  const program = redis.serverPath;
  const server = await startEmbedded({ dataDir, program, environment: environment.variables, clock, log });
  try {
    const store = await open(loaded, server.redis, needs);
    const stop = async () => {
      await store.close();
      await server.stop();
    };
    return { store, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** For a process beside the agent; throws `store.notRunning` when the embedded server does not run. */
export async function openOthersStore(
  loaded: LoadedConfig,
  needs: OpenNeeds,
): Promise<{ readonly store: Store }> {
  const { dataDir, redis } = loaded.config;
  const address = isEmbedded(redis) ? await connectEmbedded(dataDir) : configured(redis);
  return { store: await open(loaded, address, needs) };
}

/** The server program that an embedded store would run; throws `store.noServer` with the install command. */
export function findEmbeddedServer(loaded: LoadedConfig, environment: Environment): Promise<string> {
  return findServer(loaded.config.redis.serverPath, environment.path);
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

function configured({
  url,
  username,
  password,
  tls,
  sentinels,
  sentinelName,
  cluster,
}: RedisConfig): RedisOptions {
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
