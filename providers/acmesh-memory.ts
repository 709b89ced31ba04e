import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PluginContext } from '../src/plugin/context.ts';
import type { AcmeshOptions } from './acmesh-options.ts';
import type { Saved } from './acmesh-shim.ts';

/** What a script saved from one call to the next, session tokens often: in the agent's store, so that all agents have it. */
export interface Memory {
  recall(name: string): Promise<Saved>;
  /** Writes what differs from `before`. A failure is told in the log only: the record is made. */
  keep(name: string, saved: Saved, before: Saved): Promise<void>;
}

const values = z.record(z.string().regex(/^[A-Za-z0-9_]+$/), z.string());
const stored = z.object({ of: z.string(), values });

/** Other variables, another memory: what was saved for a key that was replaced is of no use with the next one. */
export function createMemory(
  { dnsapi, script, variables }: AcmeshOptions,
  { state, log }: Pick<PluginContext, 'state' | 'log'>,
): Memory {
  const given = Object.entries(variables).map(([name, value]) => [name, value.reveal()]);
  const of = createHash('sha256')
    .update(JSON.stringify([dnsapi, script, given.sort()]))
    .digest('hex');

  async function read(key: string): Promise<Saved['account']> {
    const text = await state.get(key);
    if (text === undefined) return {};
    const parsed = stored.safeParse(JSON.parse(text));
    return parsed.success && parsed.data.of === of ? parsed.data.values : {};
  }

  async function write(key: string, after: Saved['account'], before: Saved['account']): Promise<void> {
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    await state.set(key, JSON.stringify({ of, values: after }));
  }

  return {
    recall: async (name) => ({ account: await read(accountKey), domain: await read(domainKey(name)) }),
    async keep(name, saved, before) {
      try {
        await write(accountKey, saved.account, before.account);
        await write(domainKey(name), saved.domain, before.domain);
      } catch (error) {
        log.warn({ error }, 'what the dnsapi script saved could not be kept');
      }
    },
  };
}

const accountKey = 'saved';

function domainKey(name: string): string {
  return `saved/${name}`;
}
