import type { Bindings } from '../core/ports.ts';
import type { Binding } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode } from './codec.ts';

/** What is bound, with an index by lineage. */
export function createBindings({ link, keys }: Base): Bindings {
  async function among(names: readonly string[]): Promise<readonly Binding[]> {
    if (names.length === 0) return [];
    const texts = await link.run((client) => client.hmget(keys.bindings, ...names));
    return texts.flatMap((text) => (text === null ? [] : [decode<Binding>(text)]));
  }

  return {
    get: async (name) => (await among([name]))[0],
    among,
    all: async () => {
      const texts = await link.run((client) => client.hvals(keys.bindings));
      return texts.map((text) => decode<Binding>(text)).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    of: async (lineage) => {
      const names = await link.run((client) => client.smembers(keys.bindingsOf(lineage)));
      return among(names.sort());
    },
  };
}
