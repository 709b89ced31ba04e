import { type Secret, secret } from '../core/secret.ts';
import type { Base } from './base.ts';

/** Small values that plugins keep between calls and processes; sealed, for a token may be among them. */
export interface PluginStates {
  get(owner: string, key: string): Promise<Secret<string> | undefined>;
  set(owner: string, key: string, value: Secret<string>): Promise<void>;
}

export function createPluginStates({ link, keys, crypt }: Base): PluginStates {
  const identity = (owner: string, key: string) => `plugin ${owner} ${key}`;
  return {
    get: async (owner, key) => {
      const sealed = await link.run((client) => client.hgetBuffer(keys.pluginState(owner), key));
      if (sealed === null) return undefined;
      return secret(Buffer.from(crypt.open(sealed, identity(owner, key)).reveal()).toString('utf8'));
    },
    set: async (owner, key, value) => {
      const sealed = crypt.seal(secret(Buffer.from(value.reveal())), identity(owner, key));
      await link.run((client) => client.hset(keys.pluginState(owner), key, sealed));
    },
  };
}
