import { afterAll, beforeAll, describe } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store/index.ts';
import { masterKey, silentLog } from './samples.ts';
import { suiteAgents } from './suite-agents.ts';
import { suiteBindings } from './suite-bindings.ts';
import { suiteHeld } from './suite-held.ts';
import { suiteWork } from './suite-work.ts';

export interface StoreServers {
  readonly redis: StoreOptions['redis'];
  readonly durability?: StoreOptions['durability'];
  stop(): Promise<unknown>;
}

/** What must hold on every kind of Redis, seen by two agents on one store. */
export function describeStore(name: string, start: () => Promise<StoreServers>): void {
  describe(`store on ${name}`, () => {
    const opened: Store[] = [];
    let servers: StoreServers | undefined;

    beforeAll(async () => {
      servers = await start();
      const { redis, durability } = servers;
      const masterKeys = [masterKey()];
      for (let agent = 0; agent < 2; agent++)
        opened.push(await openStore({ redis, durability, masterKeys, clock: systemClock, log: silentLog }));
    });

    afterAll(async () => {
      await Promise.all(opened.map((store) => store.close()));
      await servers?.stop();
    });

    const agent = (index: number): Store => {
      const store = opened[index];
      if (store === undefined) throw new Error('the store was not opened');
      return store;
    };
    const agents = {
      get store() {
        return agent(0);
      },
      get other() {
        return agent(1);
      },
    };
    suiteHeld(agents);
    suiteBindings(agents);
    suiteWork(agents);
    suiteAgents(agents);
  });
}
