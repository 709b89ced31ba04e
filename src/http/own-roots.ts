import { Agent, type Dispatcher } from 'undici';

/** Roots change once in years; those of servers that are no longer configured make room. */
const most = 16;

/** Connections to servers whose certificates follow from roots of their own: a pool for each. */
export function createOwnRoots() {
  const pools = new Map<string, Agent>();

  return {
    /** undefined: the server has none. */
    for(trustPem: string | undefined): Dispatcher | undefined {
      if (trustPem === undefined) return undefined;
      const pool = pools.get(trustPem) ?? new Agent({ connect: { ca: trustPem } });
      pools.delete(trustPem);
      pools.set(trustPem, pool);
      for (const [pem, oldest] of [...pools].slice(0, -most)) {
        pools.delete(pem);
        // Requests under way come to their end.
        oldest.close().catch(() => undefined);
      }
      return pool;
    },
    async destroy(): Promise<void> {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}
