import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock.ts';
import { type Secret, secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryLog } from './memory.ts';
import { startRedis, type TestRedis } from './redis.ts';

export interface TestStore {
  readonly store: Store;
  readonly redis: Pick<TestRedis, 'url' | 'cli'>;
  readonly masterKey: Secret<Uint8Array>;
  /** As another agent opens it. */
  again(): Promise<Store>;
  /** Closes all that were opened. */
  stop(): Promise<void>;
}

/** A store on a Redis of its own. */
export async function startStore(): Promise<TestStore> {
  const redis = await startRedis();
  const masterKey = secret<Uint8Array>(randomBytes(32));
  const masterKeys = [masterKey];
  const opened: Store[] = [];
  const again = async () => {
    const log = createMemoryLog();
    const store = await openStore({ redis: { url: redis.url }, masterKeys, clock: systemClock, log });
    opened.push(store);
    return store;
  };
  const stop = async () => {
    await Promise.all(opened.map((store) => store.close()));
    await redis.stop();
  };
  return { store: await again(), redis, masterKey, again, stop };
}
