import type { ConnectionOptions } from 'node:tls';
import { Cluster, type RedisOptions as DriverOptions, Redis } from 'ioredis';
import type { Clock, Log } from '../core/ports.ts';
import { describeAddress, parseAddress, type RedisOptions, type RedisTls } from './address.ts';
import { connectorTo } from './master-connector.ts';
import { isDisconnected, messageOf, rootOf, toStoreError } from './redis-error.ts';
import { type Sentinels, sentinelsOf } from './sentinel.ts';

export type RedisClient = Redis | Cluster;

/**
 * How a connection behaves while Redis is away. fail: commands fail at once, for callers that have a retry of their own.
 * wait: commands wait for ever, as blocking readers want it.
 */
export type WhenAway = 'fail' | 'wait';

/** One connection whose commands reject with AgentError only. */
export interface Link {
  readonly client: RedisClient;
  /** For messages; without password. */
  readonly address: string;
  /** Where the master is found by them. */
  readonly sentinels?: Sentinels | undefined;
  run<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const connectMs = 3_000;
/** A server that accepts and never answers counts as away. */
const commandMs = 10_000;
/** There are others to ask. */
const sentinelMs = 1_500;
const longestPauseMs = 1_000;

/**
 * Connects and waits until Redis answers; `store.unavailable` if it does not at the first attempt, or, where sentinels may
 * be about to name another master, within some seconds. Reconnects by itself later.
 */
export async function connectRedis(options: RedisOptions, needs: { log: Log; clock: Clock }): Promise<Link> {
  const address = describeAddress(options);
  // Commands of one moment go in one packet.
  const client = createClient(options, 'fail', true);
  const faults = watchFaults(client, address, needs.log);
  try {
    await connectOnce(client, options, needs.clock);
  } catch (error) {
    client.disconnect();
    throw toStoreError(faults.last() ?? error, address);
  }
  return {
    client,
    address,
    sentinels: sentinelsFor(options),
    run: async (work) => {
      try {
        return await work(client);
      } catch (error) {
        throw toStoreError(isDisconnected(error) ? (faults.last() ?? error) : error, address);
      }
    },
    close: () => closeClient(client),
  };
}

/** A client that connects in the background. The caller closes it; its 'error' events are logged. */
export function createClientFor(options: RedisOptions, whenAway: WhenAway, log: Log): RedisClient {
  const client = createClient(options, whenAway);
  watchFaults(client, describeAddress(options), log);
  client.connect().catch(() => undefined);
  return client;
}

export async function closeClient(client: RedisClient): Promise<void> {
  try {
    if (client.status === 'ready') await client.quit();
  } catch {
    // The connection broke while saying goodbye, which is just as good.
  }
  client.disconnect();
}

function createClient(options: RedisOptions, whenAway: WhenAway, enableAutoPipelining = false): RedisClient {
  const common = {
    ...credentials(options),
    connectTimeout: connectMs,
    lazyConnect: true,
    tls: tlsOptions(options),
    // A command may have been carried out although its answer was lost: only its caller knows whether to repeat it.
    autoResendUnfulfilledCommands: whenAway === 'wait',
    // The driver lets a refusal of that end the process; see pubsub.ts.
    autoResubscribe: false,
    maxRetriesPerRequest: whenAway === 'wait' ? null : 0,
    ...(whenAway === 'fail' && { commandTimeout: commandMs }),
    retryStrategy: pauseBefore,
  } satisfies DriverOptions;
  const enableOfflineQueue = whenAway === 'wait';
  if (options.cluster !== undefined) {
    const { retryStrategy: _, lazyConnect, ...redisOptions } = common;
    return new Cluster([...options.cluster], {
      redisOptions,
      lazyConnect,
      enableOfflineQueue,
      enableAutoPipelining,
      clusterRetryStrategy: pauseBefore,
      // A node answers by its address; TLS then has to check the name that the operator gave.
      dnsLookup: (name, callback) => callback(null, name),
      slotsRefreshTimeout: connectMs,
    });
  }
  return new Redis({
    ...common,
    ...target(options),
    enableOfflineQueue,
    enableAutoPipelining,
    // After a failover the old master turns into a replica: look for the new one.
    reconnectOnError: (error) => (/^(READONLY|UNBLOCKED|MASTERDOWN)/.test(error.message) ? 1 : false),
  });
}

function credentials(options: RedisOptions): { username?: string; password?: string; db?: number } {
  const fromUrl = options.url === undefined ? undefined : parseAddress(options);
  const username = options.username ?? fromUrl?.username;
  const password = options.password?.reveal() ?? fromUrl?.password;
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(options.cluster === undefined && { db: options.db ?? fromUrl?.db ?? 0 }),
  };
}

function target(options: RedisOptions): DriverOptions {
  const sentinels = sentinelsFor(options);
  if (sentinels !== undefined) return { Connector: connectorTo(sentinels, tlsOptions(options)) };
  const { socketPath, hostname, port } = parseAddress(options);
  return socketPath === undefined ? { host: hostname, port } : { path: socketPath };
}

function sentinelsFor(options: RedisOptions): Sentinels | undefined {
  const { sentinelUsername: username, sentinelPassword, sentinelTls } = options;
  const password = sentinelPassword?.reveal();
  const access = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelTls !== undefined && { tls: tlsFiles(sentinelTls) }),
  };
  return sentinelsOf(options, { access, timeoutMs: sentinelMs, pauseBefore });
}

function tlsOptions(options: RedisOptions): ConnectionOptions | undefined {
  const secure =
    options.tls !== undefined || (options.url !== undefined && parseAddress(options).protocol === 'rediss:');
  if (!secure) return undefined;
  return tlsFiles(options.tls ?? {});
}

function tlsFiles({ caPem, certificatePem, privateKeyPem, servername }: RedisTls): ConnectionOptions {
  return {
    ...(caPem !== undefined && { ca: caPem }),
    ...(certificatePem !== undefined && { cert: certificatePem }),
    ...(privateKeyPem !== undefined && { key: privateKeyPem.reveal() }),
    ...(servername !== undefined && { servername }),
  };
}

function pauseBefore(attempt: number): number {
  return Math.min(25 * 2 ** Math.min(attempt, 10), longestPauseMs);
}

/** The driver tells the cause of a broken connection only by events; the last one explains a failed start. */
function watchFaults(client: RedisClient, address: string, log: Log): { last(): unknown } {
  let last: unknown;
  let isTold = false;
  client.on('error', (error: unknown) => {
    last = rootOf(error);
    if (!isTold) log.warn({ redis: address, reason: messageOf(last) }, 'connection to Redis failed');
    isTold = true;
  });
  client.on('ready', () => {
    if (isTold) log.info({ redis: address }, 'connection to Redis is back');
    isTold = false;
    last = undefined;
  });
  return { last: () => last };
}

async function connectOnce(client: RedisClient, options: RedisOptions, clock: Clock): Promise<void> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(2 * connectMs, () => reject(new Error(`no answer in ${2 * connectMs} ms`)));
  });
  try {
    const attempt = client.connect();
    const ready = () => new Promise((resolve) => client.once('ready', resolve));
    await Promise.race([options.sentinels === undefined ? attempt : attempt.catch(ready), late]);
  } finally {
    cancel();
  }
}
