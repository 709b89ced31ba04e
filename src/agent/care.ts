import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/load.ts';
import type { DnsCare } from '../core/dns-care.ts';
import type { PluginState } from '../core/plugin.ts';
import type { Clock, Log } from '../core/ports.ts';
import { secret } from '../core/secret.ts';
import { createMetrics } from '../metrics.ts';
import type { Store } from '../store/index.ts';
import type { Configured } from './configured.ts';

/** What a plugin, or the DNS engine, keeps in the store. */
export function pluginStateOf({ pluginStates }: Pick<Store, 'pluginStates'>): (owner: string) => PluginState {
  return (owner) => ({
    get: async (key) => (await pluginStates.get(owner, key))?.reveal(),
    set: (key, value) => pluginStates.set(owner, key, secret(value)),
  });
}

export interface OwnCare extends DnsCare {
  close(): Promise<void>;
}

/** For a process beside the agent: the vendors are spoken to from here, with what the file says; nothing is made before. */
export function createCare(
  loaded: LoadedConfig,
  needs: {
    readonly store: Store;
    readonly environment: Environment;
    readonly clock: Clock;
    readonly log: Log;
  },
): OwnCare {
  const { store, clock, log } = needs;
  let made: Promise<Configured> | undefined;

  async function make(): Promise<Configured> {
    const { configure } = await import('./configured.ts');
    const own = { pluginState: pluginStateOf(store), metrics: createMetrics({ clock, log }) };
    return configure(loaded, { ...store, ...needs, ...own });
  }

  async function care(): Promise<DnsCare> {
    made ??= make();
    return (await made).dns.care;
  }

  return {
    leftovers: async (search, signal) => (await care()).leftovers(search, signal),
    discard: async (leftovers, signal) => (await care()).discard(leftovers, signal),
    examine: async (question, signal) => (await care()).examine(question, signal),
    beginTrial: async (trial, signal) => (await care()).beginTrial(trial, signal),
    seeTrial: async (key, signal) => (await care()).seeTrial(key, signal),
    endTrial: async (key, signal) => (await care()).endTrial(key, signal),
    close: async () => {
      await (await made)?.close();
    },
  };
}
