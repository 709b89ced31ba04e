import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Base } from './base.ts';
import { createBindings } from './bindings.ts';
import { createCertificates } from './certificates.ts';
import { createCrypt } from './crypt.ts';
import { createTolerance } from './damage.ts';
import { createHostAsks } from './host-asks.ts';
import type { StoreOptions } from './index.ts';
import { createKeys } from './keys.ts';
import { examineMeta } from './meta.ts';
import { createHints } from './pubsub.ts';
import { connectRedis, createClientFor } from './redis.ts';
import { createRenewals } from './renewals.ts';
import { createServedChanges } from './served.ts';
import { createWishes } from './wishes.ts';

/** What is shown to clients, and no more: it needs the rights of `readerAclRules` only. */
export interface StoreReader
  extends Pick<Ports, 'wishes' | 'certificates' | 'bindings' | 'renewals' | 'served'> {
  /** Needs the rights of `askerAclRules`. */
  readonly hostAsks: Pick<Ports['hostAsks'], 'ask'>;
  close(): Promise<void>;
}

export type ReaderOptions = Pick<StoreOptions, 'redis' | 'prefix' | 'masterKeys' | 'clock' | 'log'>;

/**
 * Opens a store that an agent has begun, and writes nothing. Throws `store.unavailable`, `store.notRunning`, `store.schema` or
 * `store.masterKey`.
 */
export async function openReader({
  redis,
  prefix,
  masterKeys,
  clock,
  log,
}: ReaderOptions): Promise<StoreReader> {
  const crypt = createCrypt(masterKeys);
  const keys = createKeys(prefix);
  const link = await connectRedis(redis, { clock, log });
  try {
    const { found } = await examineMeta({ link, keys, crypt });
    if (found === undefined)
      throw new AgentError('store.notRunning', `no agent has run on the Redis at ${link.address} yet`);
    const { storeId } = found;
    const base: Base = { link, keys, crypt, storeId, clock, log, tolerate: createTolerance(log) };
    const hints = createHints(() => createClientFor(redis, 'wait', log), log);
    return {
      wishes: createWishes(base),
      certificates: createCertificates(base),
      bindings: createBindings(base),
      renewals: createRenewals(base),
      served: createServedChanges(base, hints),
      hostAsks: createHostAsks(base, hints),
      close: async () => {
        await hints.close();
        await link.close();
      },
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}
