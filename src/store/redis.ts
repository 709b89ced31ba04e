import { Cluster, type RedisOptions as DriverOptions, Redis } from 'ioredis';
import type { Clock, Log } from '../core/ports.ts';
import { defaultSentinelName, describeAddress, parseAddress, type RedisOptions } from './address.ts';
import { isDisconnected, messageOf, rootOf, toStoreError } from './redis-error.ts';
import { PatientSentinelConnector } from './sentinel.ts';

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
  run<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const connectMs = 3_000;
/** A server that accepts and never answers counts as away. */
const commandMs = 10_000;
const longestPauseMs = 1_000;

/** Connects and waits until Redis answers; `store.unavailable` if it does not at the first attempt. Reconnects by itself later. */
export async function connectRedis(options: RedisOptions, needs: { log: Log; clock: Clock }): Promise<Link> {
  const address = describeAddress(options);
  // Commands of one moment go in one packet.
  const client = createClient(options, 'fail', true);
  const faults = watchFaults(client, address, needs.log);
  try {
    await connectOnce(client, needs.clock);
  } catch (error) {
    client.disconnect();
    throw toStoreError(faults.last() ?? error, address);
  }
  return {
    client,
    address,
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
    // After a failover the old master turns read-only: look for the new one.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
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
  if (options.sentinels === undefined) {
    const { socketPath, hostname, port } = parseAddress(options);
    return socketPath === undefined ? { host: hostname, port } : { path: socketPath };
  }
  const password = options.sentinelPassword?.reveal();
  const tls = tlsOptions(options);
  return {
    sentinels: [...options.sentinels],
    name: options.sentinelName ?? defaultSentinelName,
    sentinelRetryStrategy: pauseBefore,
    failoverDetector: true,
    Connector: PatientSentinelConnector,
    ...(options.sentinelUsername !== undefined && { sentinelUsername: options.sentinelUsername }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(tls !== undefined && { enableTLSForSentinelMode: options.tls?.sentinels === true, sentinelTLS: tls }),
  };
}

function tlsOptions(options: RedisOptions): DriverOptions['tls'] {
  const secure =
    options.tls !== undefined || (options.url !== undefined && parseAddress(options).protocol === 'rediss:');
  if (!secure) return undefined;
  const { caPem, certificatePem, privateKeyPem, servername } = options.tls ?? {};
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

async function connectOnce(client: RedisClient, clock: Clock): Promise<void> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(2 * connectMs, () => reject(new Error(`no answer in ${2 * connectMs} ms`)));
  });
  try {
    await Promise.race([client.connect(), late]);
  } finally {
    cancel();
  }
}
