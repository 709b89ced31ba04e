import { join } from 'node:path';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import type { TestProxy } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { hostsConfig, hostsSite, type Keep, proxyBefore } from './given.ts';

export interface Shared {
  readonly proxy: TestProxy;
  readonly redis: TestRedis;
  readonly site: AgentSite;
  /** A second machine: its own folder and port, the same shared configuration, store and master key unless told otherwise. */
  second(changes?: object): Promise<AgentSite>;
}

export async function sharedStore(keep: Keep, hosts: readonly string[]): Promise<Shared> {
  const pebble = keep(await startPebble());
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const options = { pebble, proxy, hosts, config: { redis: { url: redis.url } } };
  const site = await hostsSite(options);
  const second = async (changes: object = {}) => {
    const other = await agentSite({}, 'second');
    other.configure({
      ...hostsConfig(site, options),
      http01: { port: await freePort(), address: '127.0.0.1' },
      masterKey: { file: join(site.folder, 'data', 'master.key') },
      ...changes,
    });
    return other;
  };
  return { proxy, redis, site, second };
}
