import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { startRedis } from './redis.ts';

/** A Redis for tests that do not care which, nor who else uses it. */
export interface AnyRedis {
  readonly url: string;
  readonly port: number;
  /** Of a store: no other gets the same. */
  prefix(): string;
  /** One command; rejects with the server's error. */
  cli(...command: readonly string[]): Promise<unknown>;
  /** Nothing is left under the prefixes. */
  stop(): Promise<void>;
}

/** The one at ACME_AGENT_TEST_REDIS_URL, where there is one, else a server of its own. */
export async function anyRedis(): Promise<AnyRedis> {
  const name = `acme-test-${randomBytes(6).toString('hex')}`;
  let made = 0;
  const prefix = () => `{${name}-${made++}}`;
  const url = process.env.ACME_AGENT_TEST_REDIS_URL;
  if (url === undefined) {
    const { url: own, port, cli, stop } = await startRedis();
    return { url: own, port, prefix, cli, stop };
  }
  const client = new Redis(url);
  return {
    url,
    port: Number(new URL(url).port || 6379),
    prefix,
    cli: (command = '', ...args) => client.call(command, ...args),
    stop: async () => {
      await removeKeys(client, `{${name}-`);
      client.disconnect();
    },
  };
}

/** All keys that begin so. */
export async function removeKeys(client: Redis, start: string): Promise<void> {
  for await (const keys of client.scanStream({ match: `${start}*`, count: 1000 }))
    if (keys.length > 0) await client.unlink(...keys);
}
