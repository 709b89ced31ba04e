import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { silentLog } from '../store/samples.ts';
import type { AgentSite } from '../support/agent.ts';
import type { TestRedis } from '../support/redis.ts';

/** The store of an agent whose Redis is not its own, to look into or to change; the caller closes it. */
export function storeOf({ folder }: AgentSite, { url }: TestRedis): Promise<Store> {
  const masterKey = Buffer.from(readFileSync(join(folder, 'data', 'master.key'), 'utf8'), 'base64');
  return openStore({
    redis: { url },
    masterKeys: [secret<Uint8Array>(masterKey)],
    clock: systemClock,
    log: silentLog,
  });
}
