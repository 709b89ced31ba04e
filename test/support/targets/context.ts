import type { PluginState } from '../../../src/core/plugin.ts';
import { createPluginContext, type TestContext } from '../plugin-context.ts';

/** Contexts of processes that share one store. */
export function createSharedContexts(name: string): () => TestContext {
  const values = new Map<string, string>();
  const state: PluginState = {
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
  };
  return () => ({ ...createPluginContext(name), state });
}
