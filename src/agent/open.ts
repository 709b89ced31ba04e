import type { LoadedConfig, RedisConfig, RedisTls } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import { AgentError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Durability } from '../store/durable.ts';
import { connectEmbedded, type EmbeddedServer, startEmbedded, tryEmbedded } from '../store/embedded.ts';
import { examineStore } from '../store/examine.ts';
import { openStore, type RedisOptions, type Store, type StoreOptions, storeExists } from '../store/index.ts';
import { findServer } from '../store/server-program.ts';
import { knownStoreId } from '../store/store-id.ts';
import { findMasterKey, readMasterKey, tryKeyFile } from './master-key.ts';

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
  const { redis } = loaded.config;
  if (!isEmbedded(redis)) {
    const store = await open(loaded, configured(redis), needs);
    return { store, stop: () => store.close() };
  }
  const server = await startServer(loaded, needs);
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

/** Runs `work` with the way to the store; an embedded server runs for it alone, and throws `store.running` if it is another's. */
export async function withRedis(
  loaded: LoadedConfig,
  needs: OpenNeeds,
  work: (options: StoreOptions) => Promise<void>,
): Promise<void> {
  const { redis } = loaded.config;
  if (!isEmbedded(redis)) return work(await storeOptions(loaded, configured(redis), needs));
  const server = await startServer(loaded, needs);
  try {
    await work(await storeOptions(loaded, server.redis, needs));
  } finally {
    await server.stop();
  }
}

function startServer(
  { config }: LoadedConfig,
  { clock, log, environment }: OpenNeeds,
): Promise<EmbeddedServer> {
  const { dataDir, redis } = config;
  return startEmbedded({
    dataDir,
    program: redis.serverPath,
    environment: environment.variables,
    clock,
    log,
  });
}

/** Throws what would keep `openOwnStore` from opening, as far as that shows before anything is made. */
export async function tryOwnStore(loaded: LoadedConfig, needs: OpenNeeds): Promise<void> {
  const { dataDir, masterKey: source, redis: wanted } = loaded.config;
  const masterKey = await findMasterKey(source);
  if (masterKey === undefined && 'file' in source) await tryKeyFile(source.file);
  if (isEmbedded(wanted))
    await tryEmbedded({
      dataDir,
      program: wanted.serverPath,
      environment: needs.environment.variables,
    });
  else await examineStore({ ...toStore(loaded, configured(wanted)), ...needs, masterKey });
}

/**
 * For a process beside the agent; throws `store.notRunning` when the embedded server does not run, or when no agent has
 * begun a store yet. Begins none.
 */
export async function openOthersStore(
  loaded: LoadedConfig,
  needs: OpenNeeds,
): Promise<{ readonly store: Store }> {
  const redis = await findRedis(loaded);
  const { dataDir, redis: wanted } = loaded.config;
  const isNew = (await knownStoreId(dataDir)) === undefined;
  if (isNew && !(await storeExists({ redis, prefix: wanted.prefix, ...needs })))
    throw new AgentError('store.notRunning', 'no agent has run on this Redis yet');
  return { store: await open(loaded, redis, needs) };
}

/** The Redis of the configuration, or the one of the agent that runs; throws `store.notRunning` when there is none. */
export async function findRedis({ config: { dataDir, redis } }: LoadedConfig): Promise<RedisOptions> {
  return isEmbedded(redis) ? connectEmbedded(dataDir) : configured(redis);
}

/** The server program that an embedded store would run; throws `store.noServer` with the install command. */
export function findEmbeddedServer(loaded: LoadedConfig, environment: Environment): Promise<string> {
  return findServer(loaded.config.redis.serverPath, environment.path);
}

async function open(loaded: LoadedConfig, redis: RedisOptions, needs: OpenNeeds): Promise<Store> {
  return openStore(await storeOptions(loaded, redis, needs));
}

/** With the master key, which is made where there is no store yet; one that was lost has its key somewhere. */
async function storeOptions(
  loaded: LoadedConfig,
  redis: RedisOptions,
  { clock, log, acceptEmptyStore }: OpenNeeds,
): Promise<StoreOptions> {
  const { dataDir, masterKey } = loaded.config;
  const options = { ...toStore(loaded, redis), acceptEmptyStore, clock, log };
  const isKnown = acceptEmptyStore !== true && (await knownStoreId(dataDir)) !== undefined;
  const key = await readMasterKey(masterKey, {
    storeExists: async () => isKnown || storeExists(options),
    log,
  });
  return { ...options, masterKeys: [key] };
}

/** What the configuration says of the store at this Redis. */
export function toStore({ config: { dataDir, redis: wanted } }: LoadedConfig, redis: RedisOptions) {
  const durability: Durability = wanted.durability === 'relaxed' ? 'relaxed' : 'required';
  return { redis, prefix: wanted.prefix, durability, dataDir };
}

export function isEmbedded({ url, sentinels, cluster }: RedisConfig): boolean {
  return url === undefined && sentinels === undefined && cluster === undefined;
}

function configured({ tls, sentinelTls, ...redis }: RedisConfig): RedisOptions {
  const { url, username, password, sentinels, sentinelName, sentinelUsername, sentinelPassword } = redis;
  return {
    url,
    username,
    password,
    sentinels,
    sentinelName,
    sentinelUsername,
    sentinelPassword,
    cluster: redis.cluster,
    tls: tls && toTls(tls),
    sentinelTls: sentinelTls && toTls(sentinelTls),
  };
}

function toTls({ ca, cert, key, servername }: RedisTls): RedisOptions['tls'] {
  return { caPem: ca, certificatePem: cert, privateKeyPem: key, servername };
}
