import { z } from 'zod';
import type { PluginState } from '../src/core/plugin.ts';

/** Values that a name of acme-dns holds. */
const places = 2;

const values = z.array(z.string());

/**
 * acme-dns has two places a name; what comes takes that of the value that was written longest ago, used or not. So what is
 * in use is remembered, for all processes, and written once more before another value comes: then it is not the oldest.
 */
export function createRing(state: PluginState) {
  async function inUse(name: string): Promise<readonly string[]> {
    const text = await state.get(keyOf(name));
    return text === undefined ? [] : values.parse(JSON.parse(text));
  }

  return {
    async add(name: string, value: string, write: (value: string) => Promise<unknown>): Promise<void> {
      const held = await inUse(name);
      if (held.includes(value)) return;
      const staying = held.slice(-(places - 1));
      for (const one of [...staying, value]) await write(one);
      await state.set(keyOf(name), JSON.stringify([...staying, value]));
    },
    /** The value stays where it is; its place is free. */
    async remove(name: string, value: string): Promise<void> {
      const held = await inUse(name);
      if (held.includes(value))
        await state.set(keyOf(name), JSON.stringify(held.filter((one) => one !== value)));
    },
  };
}

function keyOf(name: string): string {
  return `in use ${name}`;
}
