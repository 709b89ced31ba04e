import { dirname } from 'node:path';
import { createRunChild } from '../child.ts';
import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import { isAgentError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { LivingAgent } from '../store/agents.ts';
import { examineStore, type StoreReport } from '../store/examine.ts';
import { openStore, type Store } from '../store/index.ts';
import { knownStoreId } from '../store/store-id.ts';
import { type CheckItem, failed, items, passed, warned } from './check-item.ts';
import { findMasterKey, missingMasterKey, shortName, tryKeyFile } from './master-key.ts';
import { findEmbeddedServer, findRedis, isEmbedded, toStore } from './open.ts';

interface Needs {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

const durableWords = {
  always: 'syncs every write (appendfsync always)',
  waitaof: 'waits for the sync of what must not be lost (WAITAOF)',
  none: 'a crash may lose the last second',
};

export interface CheckedStore {
  readonly items: readonly CheckItem[];
  /** There only where an agent has begun one and all is well with it. Whoever asked closes it. */
  readonly store?: Store | undefined;
  /** No agent runs on it, as far as can be seen. */
  readonly isFree: boolean;
}

/** Master key, Redis, the agents there, and the store in it. */
export async function checkStore(loaded: LoadedConfig, needs: Needs): Promise<CheckedStore> {
  const { masterKey: source, redis: wanted } = loaded.config;
  const { masterKey, keyItems } = await tryMasterKey(loaded.config);
  try {
    const options = { ...toStore(loaded, await findRedis(loaded)), ...needs };
    const report = await examineStore({ ...options, masterKey });
    const redisItems = [passed('redis', redisWords(report)), ...redisWarnings(report)];
    const isFree = report.agents.length === 0;
    if (report.meta === undefined) return { items: [...keyItems, ...redisItems], isFree };
    if (masterKey === undefined) return { items: [...missing(source, keyItems), ...redisItems], isFree };
    // Without the data directory: opening a store that is there then writes nothing anywhere.
    const store = await openStore({ ...options, dataDir: undefined, masterKeys: [masterKey] });
    return { items: [...keyItems, ...redisItems, ...agentItems(report.agents, loaded)], isFree, store };
  } catch (error) {
    const isNotStarted = isAgentError(error, 'store.notRunning') && isEmbedded(wanted);
    const redisItems = isNotStarted
      ? await items('redis', () => embeddedWords(loaded, needs))
      : failed('redis', error);
    return { items: [...keyItems, ...redisItems], isFree: isNotStarted };
  }
}

type KeySource = LoadedConfig['config']['masterKey'];

async function tryMasterKey({ masterKey: source, dataDir }: LoadedConfig['config']) {
  try {
    const masterKey = await findMasterKey(source);
    // What is wrong with the data directory is said of that.
    const isElsewhere = 'file' in source && dirname(source.file) !== dataDir;
    if (masterKey === undefined && isElsewhere) await tryKeyFile(source.file);
    // None is made where a store was begun, whether it can be looked into now or not.
    if (masterKey === undefined && 'file' in source && (await knownStoreId(dataDir)) !== undefined)
      throw missingMasterKey(source.file);
    return { masterKey, keyItems: [passed('master key', masterKeyWords(source, masterKey))] };
  } catch (error) {
    return { masterKey: undefined, keyItems: failed('master key', error) };
  }
}

/** There is a store, so the key that it was made with must be there, too. */
function missing(source: KeySource, keyItems: readonly CheckItem[]): readonly CheckItem[] {
  const isMissing = 'file' in source && keyItems.every(({ level }) => level === 'ok');
  return isMissing ? failed('master key', missingMasterKey(source.file)) : keyItems;
}

function masterKeyWords(source: KeySource, key: Secret<Uint8Array> | undefined): string {
  const name = key === undefined ? '' : `key ${shortName(key)}`;
  if ('value' in source) return `in the environment, ${name}`;
  return key === undefined
    ? `${source.file} is not there; a new key will be made at the first start`
    : `${source.file}, ${name}`;
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
    `maxmemory-policy ${maxmemoryPolicy ?? 'unknown'}`,
    durableWords[durableMode],
    ...(forbidden.length === 0 ? [] : [`this user may not use ${forbidden.join(', ')}`]),
    meta === undefined ? 'no store yet' : `store ${meta.storeId}`,
  ].join(', ');
}

function redisWarnings({ facts, durableMode }: StoreReport): readonly CheckItem[] {
  const { maxmemoryPolicy, replicas, replicasToWrite } = facts;
  const at = 'redis';
  return [
    ...(maxmemoryPolicy === undefined
      ? [warned(at, 'maxmemory-policy cannot be read by this user', 'See that it is noeviction.')]
      : []),
    ...(durableMode === 'none'
      ? [
          warned(
            at,
            'a crash may lose the last second, keys and orders with it (redis.durability: relaxed)',
            'Set appendonly yes and appendfsync always there, unless you accept that.',
          ),
        ]
      : []),
    // With one replica the remedy would stop all writes whenever that one is away.
    ...(replicas >= 2 && replicasToWrite === 0
      ? [
          warned(
            at,
            'commands sent while a replica takes over may get lost',
            'Set min-replicas-to-write 1 on each server.',
          ),
        ]
      : []),
  ];
}

/** Agents that differ do no work, so a file that is not that of all is worth a word. */
function agentItems(agents: readonly LivingAgent[], loaded: LoadedConfig): readonly CheckItem[] {
  const names = agents.map(nameOf);
  const others = agents.filter(({ hash }) => hash !== loaded.sharedHash).map(nameOf);
  if (agents.length === 0) return [];
  if (others.length === 0) return [passed('agents', `${names.join(', ')}: with this configuration`)];
  const same = names.filter((name) => !others.includes(name));
  const rest = same.length === 0 ? '' : `; ${same.join(', ')}: with this one`;
  const isSplit = new Set(agents.map(({ hash }) => hash)).size > 1;
  const message = `${others.join(', ')}: with another configuration than this file${rest}`;
  const advice = 'Give all the same file, then send each SIGHUP or restart it.';
  return [warned('agents', isSplit ? `agents disagree, so some do no work; ${message}` : message, advice)];
}

/** The only one that can be on a store of its own has no name of its own. */
function nameOf({ id }: LivingAgent): string {
  return id === 'owner' ? 'the agent that runs here' : id;
}
