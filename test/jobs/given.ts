import { randomBytes } from 'node:crypto';
import { afterAll } from 'vitest';
import type { CommandHandler, Handler } from '../../jobs/define.ts';
import { createQueues, type QueueOptions, type Queues } from '../../jobs/queue.ts';
import { createWorkers, type Workers } from '../../jobs/worker.ts';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import type { DueJob } from '../../src/core/types.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { type AnyRedis, anyRedis } from '../support/any-redis.ts';
import { createMemoryLog } from '../support/memory.ts';

/** Queues and a worker on a real store, with handlers that a test writes. */
export interface Shop {
  readonly store: Store;
  readonly queues: Queues;
  readonly log: readonly string[];
  readonly options: QueueOptions;
  /** Starts an agent's workers; what is not given does nothing. */
  start(handlers: Partial<Record<DueJob, Handler>>, command?: CommandHandler): Workers;
}

export interface Shops {
  /** Of the Redis that all shops share. */
  readonly port: Promise<number>;
  open(): Promise<Shop>;
}

/** One Redis a file, one store and one set of queues a test; all ends with the file. */
export function startShops(): Shops {
  const redis: Promise<AnyRedis> = anyRedis();
  const stops: (() => Promise<unknown>)[] = [];

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
    await (await redis).stop();
  });

  async function open(): Promise<Shop> {
    const { url, prefix } = await redis;
    const log = createMemoryLog();
    const store = await openStore({
      redis: { url },
      prefix: prefix(),
      masterKeys: [secret<Uint8Array>(randomBytes(32))],
      clock: systemClock,
      log,
    });
    const options = { connect: () => store.createConnection('fail'), prefix: store.queuePrefix, log };
    const queues = createQueues(options);
    stops.push(
      () => store.close(),
      () => queues.close(),
    );
    return {
      store,
      queues,
      log: log.lines,
      options,
      start: (handlers, command = async () => undefined) => {
        const workers = createWorkers({
          connect: () => store.createConnection('wait'),
          prefix: store.queuePrefix,
          handlers: { ...idle, ...handlers },
          command,
          concurrency: { commands: 2, issuance: 4, deploy: 2, notify: 2, upkeep: 1 },
          changes: store.changes,
          due: store.due,
          clock: systemClock,
          log,
        });
        stops.push(() => workers.close(2000));
        void workers.resume();
        return workers;
      },
    };
  }

  return { port: redis.then(({ port }) => port), open };
}

/** Jobs that are not done. */
export async function waiting({ queues }: Shop, name: 'issuance' | 'commands' | 'notify'): Promise<number> {
  const { waiting: inLine = 0, active = 0, delayed = 0 } = (await queues.counts())[name];
  return inLine + active + delayed;
}

const nothing: Handler = async () => undefined;
const idle: Record<DueJob, Handler> = {
  issue: nothing,
  deploy: nothing,
  remind: nothing,
  notify: nothing,
  upkeep: nothing,
};

/** Calls as they come; a test waits for the n-th. */
export interface Calls<T> {
  readonly all: readonly T[];
  push(one: T): undefined;
  /** Resolves once there are that many. */
  reach(count: number): Promise<void>;
}

export function createCalls<T>(): Calls<T> {
  const all: T[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    all,
    push: (one): undefined => {
      all.push(one);
      for (const { count, resolve } of waiting) if (all.length >= count) resolve();
    },
    reach: (count) =>
      new Promise((resolve) => {
        if (all.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}
