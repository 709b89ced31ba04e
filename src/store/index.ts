import { isAgentError } from '../core/errors.ts';
import type { Clock, Log, Ports } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import { createAccounts } from './accounts.ts';
import type { RedisOptions } from './address.ts';
import { type Agreement, createAgreement } from './agents.ts';
import { createAnswers } from './answers.ts';
import { writeBackup } from './backup.ts';
import type { Base } from './base.ts';
import { createBindings } from './bindings.ts';
import { createBuckets } from './buckets.ts';
import { createCertificates } from './certificates.ts';
import { createChanges } from './commit.ts';
import { createCrypt } from './crypt.ts';
import { createTolerance } from './damage.ts';
import { createDue } from './due.ts';
import { createDurableWriter, type Durability, type DurableMode } from './durable.ts';
import { createEvents } from './events.ts';
import { createHostAsks } from './host-asks.ts';
import { inspectRedis, type RedisFacts, requireFit } from './inspect.ts';
import { createJournal } from './journal.ts';
import { createKeys, defaultPrefix, queuePrefix } from './keys.ts';
import { createLocks } from './locks.ts';
import { lostStore } from './lost.ts';
import { claimStore, readMeta, type StoreMeta } from './meta.ts';
import { createOutbox } from './outbox.ts';
import { createPluginStates, type PluginStates } from './plugin-state.ts';
import { createHints } from './pubsub.ts';
import { connectRedis, createClientFor, type Link, type RedisClient, type WhenAway } from './redis.ts';
import { createDeployments, createIssuances, createIssuerHealth, createRenewals } from './renewals.ts';
import { createServedChanges } from './served.ts';
import { createStaging } from './staging.ts';
import { createTasks } from './tasks.ts';
import { createTlsAnswers } from './tls-answers.ts';
import { createTokens } from './tokens.ts';
import { createWishes } from './wishes.ts';

/** An orderly failover is over by then. */
const failoverMs = 10_000;
const pauseMs = 200;

export interface StoreOptions {
  readonly redis: RedisOptions;
  /** Begins every key; in braces, so that a cluster keeps all keys in one slot. Default `{acme}`. */
  readonly prefix?: string | undefined;
  /** 32 bytes each: the current one, then older ones that may still have sealed something. */
  readonly masterKeys: readonly Secret<Uint8Array>[];
  /** Default `required`. */
  readonly durability?: Durability | undefined;
  /** Remembers which store belongs to this machine. */
  readonly dataDir?: string | undefined;
  readonly acceptEmptyStore?: boolean | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export type StorePorts = Pick<
  Ports,
  | 'wishes'
  | 'certificates'
  | 'bindings'
  | 'staging'
  | 'issuances'
  | 'renewals'
  | 'deployments'
  | 'tasks'
  | 'due'
  | 'issuerHealth'
  | 'changes'
  | 'locks'
  | 'buckets'
  | 'tokens'
  | 'tlsAnswers'
  | 'journal'
  | 'accounts'
  | 'events'
  | 'outbox'
  | 'answers'
  | 'served'
  | 'hostAsks'
>;

export type { RedisOptions } from './address.ts';

/** The state of record. */
export interface Store extends StorePorts {
  readonly pluginStates: PluginStates;
  readonly meta: StoreMeta;
  readonly facts: RedisFacts;
  readonly durableMode: DurableMode;
  /** For messages; without password. */
  readonly address: string;
  /** Prefix of the queue library's keys. */
  readonly queuePrefix: string;
  /** Another connection to the same Redis, for the queues; whoever asks for it closes it. */
  createConnection(whenAway: WhenAway): RedisClient;
  readonly agreeOnConfig: Agreement['agreeOnConfig'];
  /** Writes one encrypted file with all that the store holds. Throws `store.backup` or `store.unavailable`. */
  backup(file: string): Promise<void>;
  /** A round trip; throws `store.unavailable`, or `store.lost` when Redis no longer holds this store. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Connects to Redis and claims the store there. Throws `store.unavailable`, `store.eviction`, `store.durability`,
 * `store.lost`, `store.schema` or `store.masterKey`; each names the remedy.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const crypt = createCrypt(options.masterKeys);
  const until = options.clock.now() + failoverMs;
  for (;;) {
    const link = await connectRedis(options.redis, options);
    try {
      return await openOn(link, { ...options, crypt });
    } catch (error) {
      await link.close();
      // The master that we just reached may be demoted the moment after.
      const passes = link.sentinels !== undefined && isAgentError(error, 'store.unavailable');
      if (!passes || options.clock.now() >= until) throw error;
    }
    await options.clock.sleep(pauseMs);
  }
}

async function openOn(link: Link, options: StoreOptions & { readonly crypt: Base['crypt'] }): Promise<Store> {
  const { redis, prefix = defaultPrefix, durability = 'required', crypt, clock, log } = options;
  const keys = createKeys(prefix);
  const facts = await link.run((client) => inspectRedis(client, keys.meta));
  requireFit(facts, link.address);
  const connect = (whenAway: WhenAway) => createClientFor(redis, whenAway, log);
  const durable = createDurableWriter({
    link,
    key: keys.meta,
    durability,
    connect: () => connectRedis(redis, options),
    clock,
  });
  const durableMode = await durable.mode();
  const meta = await claimStore({ ...options, link, keys, crypt });
  const base: Base = { link, keys, crypt, storeId: meta.storeId, clock, log, tolerate: createTolerance(log) };
  const hints = createHints(() => connect('wait'), log);
  const agreement = createAgreement(base);
  return {
    wishes: createWishes(base),
    certificates: createCertificates(base),
    bindings: createBindings(base),
    staging: createStaging(base),
    issuances: createIssuances(base),
    renewals: createRenewals(base),
    deployments: createDeployments(base),
    tasks: createTasks(base),
    due: createDue(base),
    issuerHealth: createIssuerHealth(base),
    changes: createChanges(base, durable),
    locks: createLocks(base, hints),
    buckets: createBuckets(base),
    tokens: createTokens(base, hints),
    tlsAnswers: createTlsAnswers(base),
    journal: createJournal(base, durable),
    accounts: createAccounts(base, durable),
    events: createEvents(base),
    outbox: createOutbox(base),
    pluginStates: createPluginStates(base),
    answers: createAnswers(base, durable),
    served: createServedChanges(base, hints),
    hostAsks: createHostAsks(base, hints),
    meta,
    facts,
    durableMode,
    address: link.address,
    queuePrefix: queuePrefix(prefix),
    createConnection: connect,
    agreeOnConfig: agreement.agreeOnConfig,
    backup: async (file) => {
      await writeBackup(file, base);
    },
    ping: async () => {
      const held = await link.run((client) => client.hget(keys.meta, 'storeId'));
      if (held !== meta.storeId) throw lostStore(link);
    },
    close: async () => {
      await agreement.close();
      await Promise.all([hints.close(), durable.close()]);
      await link.close();
    },
  };
}

/** Whether there is a store under this prefix, of whatever key and schema. Throws `store.unavailable`. */
export async function storeExists(
  options: Pick<StoreOptions, 'redis' | 'prefix' | 'clock' | 'log'>,
): Promise<boolean> {
  const link = await connectRedis(options.redis, options);
  try {
    return (await readMeta(link, createKeys(options.prefix))) !== undefined;
  } finally {
    await link.close();
  }
}
