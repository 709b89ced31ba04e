import type { Bindings } from '../core/ports.ts';
import type { Binding } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode } from './codec.ts';

/** What is bound, with an index by lineage. */
export function createBindings({ link, keys, tolerate }: Base): Bindings {
  function readable(text: string, name: string): readonly Binding[] {
    return tolerate(() => [decode<Binding>(text, `the binding of ${name}`)], []);
  }

  async function among(names: readonly string[]): Promise<readonly Binding[]> {
    if (names.length === 0) return [];
    const texts = await link.run((client) => client.hmget(keys.bindings, ...names));
    return texts.flatMap((text, index) => (text === null ? [] : readable(text, names[index] ?? '')));
  }

  return {
    get: async (name) => {
      const text = await link.run((client) => client.hget(keys.bindings, name));
      return text === null ? undefined : decode<Binding>(text, `the binding of ${name}`);
    },
    among,
    all: async () => {
      const found = await link.run((client) => client.hgetall(keys.bindings));
      const all = Object.entries(found).flatMap(([name, text]) => readable(text, name));
      return all.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    of: async (lineage) => {
      const names = await link.run((client) => client.smembers(keys.bindingsOf(lineage)));
      return among(names.sort());
    },
  };
}
