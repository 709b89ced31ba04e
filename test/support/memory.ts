import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Buckets, Journal, JournalEntry, Lock, Locks, Log } from '../../src/core/ports.ts';
import type { DnsNeeds } from '../../src/dns/index.ts';
import { createMetrics, type MetricsRegistry } from '../../src/metrics.ts';
import { createMemoryBuckets } from './memory-buckets.ts';

export interface MemoryStore extends Pick<DnsNeeds, 'http' | 'pluginState'> {
  readonly metrics: MetricsRegistry;
  readonly journal: Journal;
  readonly locks: Locks;
  readonly buckets: Buckets;
}

/** Store ports in memory, for tests of what stands on them; share one between two engines to play two agents. HTTP leads nowhere. */
export function createMemoryStore(): MemoryStore {
  const states = new Map<string, string>();
  return {
    journal: createJournal(),
    locks: createLocks(),
    buckets: createMemoryBuckets(),
    metrics: createMetrics({ clock: systemClock, log: createMemoryLog() }),
    pluginState: (owner) => ({
      get: async (key) => states.get(`${owner} ${key}`),
      set: async (key, value) => void states.set(`${owner} ${key}`, value),
    }),
    http: { request: () => Promise.reject(new AgentError('net.failed', 'there is no way out')) },
  };
}

/** Keeps what was logged, as `level message {facts}`. */
export function createMemoryLog(lines: string[] = []): Log & { readonly lines: readonly string[] } {
  const write = (level: string) => (facts: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(facts)}`);
  return {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => createMemoryLog(lines),
  };
}

function createJournal(): Journal {
  const entries = new Map<string, JournalEntry>();
  const put = async (list: readonly JournalEntry[]) => {
    await turn();
    for (const entry of list) entries.set(entry.id, entry);
  };
  return {
    intend: put,
    update: put,
    async get(id) {
      await turn();
      return entries.get(id);
    },
    async forget(ids) {
      await turn();
      for (const id of ids) entries.delete(id);
    },
    async sharing({ account, zone, name, value }) {
      await turn();
      return [...entries.values()].filter(
        (entry) =>
          entry.account === account && entry.zone === zone && entry.name === name && entry.value === value,
      );
    },
    async all() {
      await turn();
      return [...entries.values()];
    },
  };
}

function createLocks(): Locks {
  const held = new Map<string, Promise<void>>();
  let number = 0;

  async function tryAcquire(name: string): Promise<Lock | undefined> {
    if (held.has(name)) return undefined;
    let free = () => {};
    held.set(
      name,
      new Promise<void>((resolve) => {
        free = resolve;
      }),
    );
    return {
      lock: name,
      number: ++number,
      signal: new AbortController().signal,
      async release() {
        held.delete(name);
        free();
      },
    };
  }

  return {
    tryAcquire,
    async acquire(name, _ttlMs, signal) {
      for (;;) {
        signal.throwIfAborted();
        const lock = await tryAcquire(name);
        if (lock !== undefined) return lock;
        await held.get(name);
      }
    },
  };
}

/** Another task may run here, as it may while a real store answers. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
