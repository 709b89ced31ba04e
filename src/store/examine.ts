import type { Secret } from '../core/secret.ts';
import { type LivingAgent, livingAgents } from './agents.ts';
import { createCrypt } from './crypt.ts';
import { createDurableWriter, type DurableMode } from './durable.ts';
import type { StoreOptions } from './index.ts';
import { inspectRedis, type RedisFacts, requireFit } from './inspect.ts';
import { createKeys } from './keys.ts';
import { examineMeta, type StoreMeta } from './meta.ts';
import { connectRedis } from './redis.ts';

export interface StoreReport {
  /** For messages; without password. */
  readonly address: string;
  readonly facts: RedisFacts;
  readonly durableMode: DurableMode;
  /** undefined: no agent has begun a store there. */
  readonly meta: StoreMeta | undefined;
  readonly agents: readonly LivingAgent[];
}

export type ExamineOptions = Pick<
  StoreOptions,
  'redis' | 'prefix' | 'durability' | 'dataDir' | 'acceptEmptyStore' | 'clock' | 'log'
> & {
  /** Absent: not compared with the store's. */
  readonly masterKey?: Secret<Uint8Array> | undefined;
};

/** Looks at a Redis and the store in it, and throws what `openStore` would; writes nothing, there or on disk. */
export async function examineStore(options: ExamineOptions): Promise<StoreReport> {
  const { redis, prefix, masterKey, durability = 'required', dataDir, acceptEmptyStore } = options;
  const link = await connectRedis(redis, options);
  try {
    const keys = createKeys(prefix);
    const facts = await link.run((client) => inspectRedis(client, keys.meta));
    requireFit(facts, link.address);
    const connect = () => connectRedis(redis, options);
    const durable = createDurableWriter({ link, key: keys.meta, durability, connect, clock: options.clock });
    const durableMode = await durable.mode();
    const crypt = masterKey && createCrypt([masterKey]);
    const { found } = await examineMeta({ link, keys, crypt, dataDir, acceptEmptyStore });
    const agents = await livingAgents({ link, keys });
    return { address: link.address, facts, durableMode, meta: found, agents };
  } finally {
    await link.close();
  }
}
