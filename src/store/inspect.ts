import { Redis } from 'ioredis';
import { AgentError } from '../core/errors.ts';
import type { RedisClient } from './redis.ts';

/** What matters of a Redis server. undefined: the server does not tell this user. */
export interface RedisFacts {
  readonly server: 'redis' | 'valkey';
  readonly version: string;
  readonly maxmemoryPolicy: string | undefined;
  readonly appendonly: boolean | undefined;
  readonly appendfsync: string | undefined;
  /** WAITAOF works: the server knows it, this user may run it, and there is an append-only file. */
  readonly waitaof: boolean;
  /** It waits, too: before Redis 8, and in Valkey, it answers before the sync where that comes every second. */
  readonly tellsSync: boolean;
  /** `no-appendfsync-on-rewrite`: while a child writes a file, nothing is synced. */
  readonly skipsSyncs: boolean;
  /** Replicas that follow it now. */
  readonly replicas: number;
  /** How many must follow for it to take a write. */
  readonly replicasToWrite: number | undefined;
  /** Commands that the access rules forbid to this user, which is why something above is undefined. */
  readonly forbidden: readonly string[];
}

const oldest = '7.0.0';

/** redis/redis#13793; Valkey 9.1 had not taken it over. */
const oldestTelling = '8.0.0';

/** Asks the node that holds the store's keys. */
export async function inspectRedis(client: RedisClient, key: string): Promise<RedisFacts> {
  const node = await ownerOf(client, key);
  const forbidden: string[] = [];
  const ask = async <T>(command: string, question: Promise<T>): Promise<T | undefined> => {
    try {
      return await question;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      forbidden.push(command);
      return undefined;
    }
  };
  const [info, fsync, rewrite, policy, toWrite, waitaof] = await Promise.all([
    ask('INFO', node.info()),
    ask('CONFIG GET', node.config('GET', 'appendfsync') as Promise<string[]>),
    ask('CONFIG GET', node.config('GET', 'no-appendfsync-on-rewrite') as Promise<string[]>),
    ask('CONFIG GET', node.config('GET', 'maxmemory-policy') as Promise<string[]>),
    ask('CONFIG GET', node.config('GET', 'min-replicas-to-write') as Promise<string[]>),
    ask('WAITAOF', node.call('WAITAOF', 1, 0, 1)),
  ]);
  const fields = parseInfo(info ?? '');
  return {
    server: fields.valkey_version === undefined ? 'redis' : 'valkey',
    version: fields.valkey_version ?? fields.redis_version ?? 'unknown',
    maxmemoryPolicy: policy?.[1] ?? fields.maxmemory_policy,
    appendonly: fields.aof_enabled === undefined ? undefined : fields.aof_enabled === '1',
    appendfsync: fsync?.[1],
    waitaof: waitaof !== undefined,
    tellsSync: fields.valkey_version === undefined && !isOlder(fields.redis_version ?? '0', oldestTelling),
    skipsSyncs: rewrite?.[1] === 'yes',
    replicas: Number(fields.connected_slaves ?? 0),
    replicasToWrite: toWrite?.[1] === undefined ? undefined : Number(toWrite[1]),
    forbidden: [...new Set(forbidden)],
  };
}

/** The server that holds `key`: in a cluster one of several, else the only one. */
export async function ownerOf(client: RedisClient, key: string): Promise<Redis> {
  if (client instanceof Redis) return client;
  const slot = Number(await client.cluster('KEYSLOT', key));
  const owner = client.slots[slot]?.[0];
  const node = client.nodes('master').find(({ options }) => `${options.host}:${options.port}` === owner);
  if (node === undefined) throw new Error(`no node of the cluster holds slot ${slot} now`);
  return node;
}

/** Throws for a server that must not hold the store. */
export function requireFit(facts: RedisFacts, address: string): void {
  if (facts.version !== 'unknown' && facts.server === 'redis' && isOlder(facts.version, oldest))
    throw new AgentError(
      'store.unavailable',
      `Redis at ${address} is version ${facts.version}; ${oldest} or newer is needed`,
      { retry: 'blocked' },
    );
  if (facts.maxmemoryPolicy !== undefined && facts.maxmemoryPolicy !== 'noeviction')
    throw new AgentError(
      'store.eviction',
      `Redis at ${address} may throw keys away: its maxmemory-policy is ${facts.maxmemoryPolicy}`,
    );
}

/** A command that is unknown, forbidden, switched off or useless here. */
export function isRefusal(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /^(NOPERM|ERR unknown command|ERR WAITAOF|ERR .*not allowed)/i.test(error.message)
  );
}

export function parseInfo(text: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

function isOlder(version: string, than: string): boolean {
  const parts = (text: string) => text.split('.').map(Number);
  const [own, other] = [parts(version), parts(than)];
  const differing = other.findIndex((part, index) => part !== (own[index] ?? 0));
  return differing !== -1 && (own[differing] ?? 0) < (other[differing] ?? 0);
}
