import { type RedisOptions as DriverOptions, Redis } from 'ioredis';
import { defaultSentinelName, type Endpoint, type RedisOptions } from './address.ts';
import { messageOf } from './redis-error.ts';

/** What the sentinels of a master group say. Connections to them are made when needed, and by the watch. */
export interface Sentinels {
  /** Rejects when no sentinel knows a master. */
  findMaster(): Promise<Endpoint>;
  /**
   * Calls `heard` with the master each time a sentinel names it: when it is another, and whenever a subscription
   * stands (again), so that no change is missed. Returns the function that ends it.
   */
  watch(heard: (master: Endpoint) => void): () => void;
  /** Whether this server is the master for certain, and no other follows it that could become one. */
  isAlone(server: Endpoint): Promise<boolean>;
  /** What they said was wrong: the next question goes to another one first. */
  doubt(): void;
}

export interface SentinelOptions {
  readonly endpoints: readonly Endpoint[];
  readonly name: string;
  readonly access: Pick<DriverOptions, 'username' | 'password' | 'tls'>;
  readonly timeoutMs: number;
  readonly pauseBefore: (attempt: number) => number;
}

const channel = '+switch-master';
const known = new WeakMap<RedisOptions, Sentinels>();

/** All connections of a store follow one watch, and so change over together. */
export function sentinelsOf(
  options: RedisOptions,
  how: Omit<SentinelOptions, 'endpoints' | 'name'>,
): Sentinels | undefined {
  const { sentinels: endpoints, sentinelName: name = defaultSentinelName } = options;
  if (endpoints === undefined) return undefined;
  const sentinels = known.get(options) ?? createSentinels({ endpoints, name, ...how });
  known.set(options, sentinels);
  return sentinels;
}

function createSentinels(options: SentinelOptions): Sentinels {
  const { endpoints, name } = options;
  const listeners = new Set<(master: Endpoint) => void>();
  let subscribers: readonly Redis[] = [];
  let finding: Promise<Endpoint> | undefined;
  let first = 0;

  /** The first answer counts; a sentinel that has none is as good as away. */
  async function ask<T>(question: (sentinel: Redis) => Promise<T | undefined>): Promise<T> {
    let reason: unknown = new Error(`they know no master named ${name}`);
    for (const turn of endpoints.keys()) {
      const at = (first + turn) % endpoints.length;
      const sentinel = clientTo(endpoints[at], options, { retryStrategy: () => null });
      sentinel.on('error', (error: unknown) => {
        reason = error;
      });
      try {
        await sentinel.connect();
        const answer = await question(sentinel);
        if (answer === undefined) continue;
        first = at;
        return answer;
      } catch (error) {
        if (sentinel.status !== 'end') reason = error;
      } finally {
        sentinel.disconnect();
      }
    }
    throw new Error(`no sentinel names a master: ${messageOf(reason)}`);
  }

  function findMaster(): Promise<Endpoint> {
    finding ??= ask((sentinel) => masterBy(sentinel, name)).finally(() => {
      finding = undefined;
    });
    return finding;
  }

  function tell(master: Endpoint): void {
    for (const heard of [...listeners]) heard(master);
  }

  function subscribeAt(endpoint: Endpoint): Redis {
    const sentinel = clientTo(endpoint, options, { retryStrategy: options.pauseBefore });
    sentinel.on('error', () => {});
    sentinel.on('message', (_: string, news: string) => {
      const [group, , , host = '', port] = news.split(' ');
      if (group === name) tell({ host, port: Number(port) });
    });
    sentinel.on('ready', () => {
      const look = () => ask((one) => masterBy(one, name)).then(tell);
      sentinel
        .subscribe(channel)
        .then(look)
        .catch(() => undefined);
    });
    sentinel.connect().catch(() => undefined);
    return sentinel;
  }

  function watch(heard: (master: Endpoint) => void): () => void {
    listeners.add(heard);
    if (listeners.size === 1) subscribers = endpoints.map(subscribeAt);
    return () => {
      if (!listeners.delete(heard) || listeners.size > 0) return;
      for (const subscriber of subscribers) subscriber.disconnect();
      subscribers = [];
    };
  }

  async function isAlone({ host, port }: Endpoint): Promise<boolean> {
    const [master, replicas] = await ask((sentinel) =>
      Promise.all([sentinel.call('SENTINEL', 'MASTER', name), sentinel.call('SENTINEL', 'REPLICAS', name)]),
    );
    const named = toFields(master);
    const isIt = named.ip === host && Number(named.port) === port;
    const isSettled = !/failover|down|disconnected/.test(named.flags ?? '');
    return isIt && isSettled && !(replicas as unknown[]).map(toFields).some(isFollowing);
  }

  const doubt = () => {
    first = (first + 1) % endpoints.length;
  };
  return { findMaster, watch, isAlone, doubt };
}

function clientTo(
  endpoint: Endpoint | undefined,
  { access, timeoutMs }: SentinelOptions,
  more: DriverOptions,
): Redis {
  return new Redis({
    ...endpoint,
    ...access,
    ...more,
    // The plain protocol, in which every sentinel answers with lists.
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
}

async function masterBy(sentinel: Redis, name: string): Promise<Endpoint | undefined> {
  const answer = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
  if (!Array.isArray(answer)) return undefined;
  return { host: String(answer[0]), port: Number(answer[1]) };
}

/** As far as the sentinel has seen. One that was just promoted counts until the sentinel knows, which is the point. */
function isFollowing(replica: Fields): boolean {
  return (
    !/down|disconnected/.test(replica.flags ?? '') &&
    replica['role-reported'] === 'slave' &&
    replica['master-link-status'] === 'ok'
  );
}

type Fields = Readonly<Record<string, string | undefined>>;

function toFields(flat: unknown): Fields {
  const list = Array.isArray(flat) ? flat.map(String) : [];
  return Object.fromEntries(list.flatMap((key, at) => (at % 2 === 0 ? [[key, list[at + 1]]] : [])));
}
