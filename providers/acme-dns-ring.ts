import { z } from 'zod';
import type { PluginState } from '../src/core/plugin.ts';
import type { Clock } from '../src/core/ports.ts';

/** Values that a name of acme-dns holds. */
const places = 2;

/** acme-dns counts no finer; which of two values goes that were written within one second is not said. */
const secondMs = 1000;

const values = z.array(z.string());
/** The last write at a name; `alone`: none came within the second before it. */
const lastWrite = z.object({ value: z.string(), at: z.number(), alone: z.boolean() });
type LastWrite = z.infer<typeof lastWrite>;

/**
 * acme-dns has two places a name; what comes takes that of the value that was written longest ago, used or not. So what is
 * in use is remembered, for all processes, and written once more before another value comes: then it is not the oldest,
 * if none of another value is of the same second.
 */
export function createRing(state: PluginState, clock: Pick<Clock, 'now' | 'sleep'>) {
  async function inUse(name: string): Promise<readonly string[]> {
    const text = await state.get(keyOf(name));
    return text === undefined ? [] : values.parse(JSON.parse(text));
  }

  async function last(name: string): Promise<LastWrite | undefined> {
    const text = await state.get(`written ${name}`);
    return text === undefined ? undefined : lastWrite.parse(JSON.parse(text));
  }

  async function note(name: string, one: Omit<LastWrite, 'at'>): Promise<void> {
    await state.set(`written ${name}`, JSON.stringify({ ...one, at: clock.now() }));
  }

  /** Resolves once a value that is written again cannot be of the same age as another one. */
  async function settle(before: LastWrite | undefined, staying: string, signal: AbortSignal): Promise<void> {
    if (before === undefined || (before.alone && before.value === staying)) return;
    const leftMs = before.at + secondMs - clock.now();
    if (leftMs > 0) await clock.sleep(Math.min(leftMs, secondMs), signal);
  }

  return {
    async add(
      name: string,
      { value, write }: { readonly value: string; readonly write: (value: string) => Promise<unknown> },
      signal: AbortSignal,
    ): Promise<void> {
      const held = await inUse(name);
      if (held.includes(value)) return;
      const before = await last(name);
      const staying = held.slice(-(places - 1));
      for (const one of staying) await settle(before, one, signal);
      const alone = staying.length === 0 && (before === undefined || clock.now() - before.at >= secondMs);
      await note(name, { value, alone: false });
      try {
        for (const one of [...staying, value]) await write(one);
      } finally {
        await note(name, { value, alone });
      }
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
