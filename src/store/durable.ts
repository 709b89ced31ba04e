import type { Redis } from 'ioredis';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { inspectRedis, ownerOf, type RedisFacts } from './inspect.ts';
import type { Link, RedisClient } from './redis.ts';
import { toStoreError } from './redis-error.ts';
import { awaitReplica } from './replica.ts';
import { awaitSync } from './sync.ts';

/** relaxed: the operator accepts that a crash of Redis may lose the last second. */
export type Durability = 'required' | 'relaxed';

/**
 * Writes that are on disk when they return, as far as the server can promise it, and where sentinels watch it on a replica
 * besides, so that a failover does not lose them.
 */
export interface DurableWriter {
  run<T>(write: (client: RedisClient) => Promise<T>): Promise<T>;
  /** How it is done with the server as it is now. Throws `store.durability`. */
  mode(): Promise<DurableMode>;
  close(): Promise<void>;
}

/** waitaof: each write waits for its own sync · always: the server syncs before it answers · none: accepted risk. */
export type DurableMode = 'waitaof' | 'always' | 'none';

export interface DurableOptions {
  readonly link: Link;
  /** A key of the store: its node is the one to sync. */
  readonly key: string;
  readonly durability: Durability;
  /** Makes the connection on which WAITAOF and WAIT block. */
  readonly connect: () => Promise<Link>;
  readonly clock: Clock;
}

interface Waiting {
  readonly write: (client: RedisClient) => Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** How it is done with the server as it is now. */
interface Means {
  readonly mode: DurableMode;
  readonly tellsSync: boolean;
}

/** Writes that come while one sync is under way share the next one. */
export function createDurableWriter(options: DurableOptions): DurableWriter {
  const { link } = options;
  const waiting: Waiting[] = [];
  let draining: Promise<void> | undefined;
  let known: Promise<Means> | undefined;
  let own: Link | undefined;

  // After a reconnection it may be another server, or the same with another configuration.
  link.client.on('ready', () => {
    known = undefined;
  });

  function means(): Promise<Means> {
    known ??= link
      .run((client) => inspectRedis(client, options.key))
      .then((facts) => ({
        mode: modeOf(facts, options.durability, link.address),
        tellsSync: facts.tellsSync,
      }))
      .catch((error: unknown) => {
        known = undefined;
        throw error;
      });
    return known;
  }

  async function run<T>(write: (client: RedisClient) => Promise<T>): Promise<T> {
    const syncs = (await means()).mode === 'waitaof';
    if (!syncs && link.sentinels === undefined) return link.run(write);
    const result = new Promise<unknown>((resolve, reject) => {
      waiting.push({ write, resolve, reject });
    });
    draining ??= drain().finally(() => {
      draining = undefined;
    });
    return (await result) as T;
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0);
      try {
        own ??= await options.connect();
        await writeBatch(own, batch, { key: options.key, clock: options.clock, ...(await means()) });
      } catch (error) {
        for (const { reject } of batch) reject(toStoreError(error, link.address));
      }
    }
  }

  return {
    run,
    mode: async () => (await means()).mode,
    close: async () => {
      await draining;
      await own?.close();
    },
  };
}

async function writeBatch(
  { client, address, sentinels }: Link,
  batch: readonly Waiting[],
  { key, mode, ...how }: Means & Pick<DurableOptions, 'key' | 'clock'>,
): Promise<void> {
  const node = await ownerOf(client, key);
  const results = await onOneConnection(node, async () => {
    const written = await Promise.allSettled(batch.map(({ write }) => write(node)));
    if (written.every(({ status }) => status === 'rejected')) return written;
    if (mode === 'waitaof') await awaitSync(node, { address, ...how });
    if (sentinels !== undefined) await awaitReplica(node, { sentinels, address });
    return written;
  });
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') batch[index]?.resolve(result.value);
    else batch[index]?.reject(toStoreError(result.reason, address));
  }
}

/** The server vouches for the writes of the same connection only: one that broke in between proves nothing. */
async function onOneConnection<T>(node: Redis, work: () => Promise<T>): Promise<T> {
  let isBroken = false;
  const onClose = () => {
    isBroken = true;
  };
  node.on('close', onClose);
  try {
    const result = await work();
    if (isBroken) throw new Error('the connection broke before the write was known to be safe');
    return result;
  } finally {
    node.off('close', onClose);
  }
}

function modeOf(facts: RedisFacts, durability: Durability, address: string): DurableMode {
  const { appendonly, appendfsync, waitaof, tellsSync, skipsSyncs } = facts;
  if (appendonly === true && appendfsync === 'always' && !skipsSyncs) return 'always';
  const syncsInTime = tellsSync ? appendfsync !== 'no' : appendfsync === 'everysec' && !skipsSyncs;
  if (waitaof && syncsInTime) return 'waitaof';
  if (durability === 'relaxed') return 'none';
  const unknown = facts.forbidden.filter((command) => command !== 'WAITAOF');
  const reason =
    unknown.length > 0
      ? `cannot be asked how it writes to disk: ${unknown.join(' and ')} is forbidden to this user`
      : `may lose acknowledged writes: appendonly is ${appendonly ? 'yes' : 'no'}, appendfsync ${appendfsync}${skipsSyncs ? ', no-appendfsync-on-rewrite yes' : ''}`;
  throw new AgentError('store.durability', `Redis at ${address} ${reason}`);
}
