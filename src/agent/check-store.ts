import { createRunChild } from '../child.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import { isAgentError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import { createCrypt, keyName } from '../store/crypt.ts';
import { examineStore, type StoreReport } from '../store/examine.ts';
import { openStore, type Store } from '../store/index.ts';
import { type CheckItem, failed, item, passed } from './check-item.ts';
import { findMasterKey, missingMasterKey } from './master-key.ts';
import { findEmbeddedServer, findRedis, isEmbedded, toStore } from './open.ts';

interface Needs {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

const durableWords = {
  always: 'syncs every write (appendfsync always)',
  waitaof: 'waits for the sync of what must not be lost (WAITAOF)',
  none: 'a crash may lose the last second (redis.durability: relaxed)',
};

/** Master key, Redis and the store in it. `store` is there only where an agent has begun one and all is well with it. */
export async function checkStore(
  loaded: LoadedConfig,
  needs: Needs,
): Promise<{ readonly items: readonly CheckItem[]; readonly store?: Store | undefined }> {
  const { masterKey: source, redis: wanted } = loaded.config;
  const { masterKey, keyItem } = await tryMasterKey(source);
  try {
    const options = { ...toStore(loaded, await findRedis(loaded)), ...needs };
    const report = await examineStore({ ...options, masterKey });
    const redisItem = passed('redis', redisWords(report));
    if (report.meta === undefined) return { items: [keyItem, redisItem] };
    if (masterKey === undefined) return { items: [missing(source, keyItem), redisItem] };
    // Without the data directory: opening a store that is there then writes nothing anywhere.
    const store = await openStore({ ...options, dataDir: undefined, masterKeys: [masterKey] });
    return { items: [keyItem, redisItem], store };
  } catch (error) {
    const isNotStarted = isAgentError(error, 'store.notRunning') && isEmbedded(wanted);
    const redisItem = isNotStarted
      ? await item('redis', () => embeddedWords(loaded, needs))
      : failed('redis', error);
    return { items: [keyItem, redisItem] };
  }
}

type KeySource = LoadedConfig['config']['masterKey'];

async function tryMasterKey(source: KeySource) {
  try {
    const masterKey = await findMasterKey(source);
    return { masterKey, keyItem: passed('master key', masterKeyWords(source, masterKey)) };
  } catch (error) {
    return { masterKey: undefined, keyItem: failed('master key', error) };
  }
}

/** There is a store, so the key that it was made with must be there, too. */
function missing(source: KeySource, keyItem: CheckItem): CheckItem {
  const isMissing = keyItem.ok && 'file' in source;
  return isMissing ? failed('master key', missingMasterKey(source.file)) : keyItem;
}

function masterKeyWords(source: KeySource, key: Secret<Uint8Array> | undefined): string {
  const name = key === undefined ? '' : `key ${keyName(createCrypt([key]).keyCheck)}`;
  if ('value' in source) return `in the environment, ${name}`;
  return key === undefined ? `${source.file} will be made at the first start` : `${source.file}, ${name}`;
}

async function embeddedWords(loaded: LoadedConfig, needs: Needs): Promise<string> {
  const program = await findEmbeddedServer(loaded, needs.environment);
  const { stdout } = await createRunChild({ ...needs, ...needs.environment })({
    command: [program, '--version'],
  });
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? 'of unknown version';
  return `not running; "acme-agent start" will start ${program} ${version}, which then evicts nothing and syncs every write`;
}

/** What the server does not tell this user is said, so that the operator looks at it in another way. */
function redisWords({ address, facts, durableMode, meta }: StoreReport): string {
  const { server, version, maxmemoryPolicy } = facts;
  // A server that has no WAITAOF is no matter of rights, and how it syncs is said anyway.
  const forbidden = facts.forbidden.filter((command) => command !== 'WAITAOF');
  return [
    `${server} ${version} at ${address}`,
    maxmemoryPolicy === undefined
      ? 'maxmemory-policy unknown: see that it is noeviction'
      : `maxmemory-policy ${maxmemoryPolicy}`,
    durableWords[durableMode],
    ...splitWords(facts),
    ...(forbidden.length === 0 ? [] : [`this user may not use ${forbidden.join(', ')}`]),
    meta === undefined ? 'no store yet' : `store ${meta.storeId}`,
  ].join(', ');
}

/** With one replica the remedy would stop all writes whenever that one is away. */
function splitWords({ replicas, replicasToWrite }: StoreReport['facts']): readonly string[] {
  if (replicas < 2 || replicasToWrite !== 0) return [];
  return [
    'commands sent while a replica takes over may get lost: set min-replicas-to-write 1 on each server',
  ];
}
