import type { Journal, JournalEntry } from '../core/ports.ts';
import type { Base } from './base.ts';
import { decode, decodeMaybe, encode } from './codec.ts';
import type { DurableWriter } from './durable.ts';
import { defineScript, runScript, type ScriptInput } from './script.ts';

/** KEYS: journal, values. ARGV: for each entry id, record, member of the values. */
const putScript = defineScript(`
for i = 1, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], 0, ARGV[i + 2])
end
`);

/** KEYS as above. ARGV: for each entry id, member of the values. */
const forgetScript = defineScript(`
for i = 1, #ARGV, 2 do
  redis.call('HDEL', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i + 1])
end
`);

type Value = Pick<JournalEntry, 'account' | 'zone' | 'name' | 'value'>;

/** The TXT values that we put into zones, with an index by value. */
export function createJournal({ link, keys }: Base, durable: DurableWriter): Journal {
  const own = [keys.journal, keys.journalValues];

  async function many(ids: readonly string[]): Promise<readonly JournalEntry[]> {
    if (ids.length === 0) return [];
    const texts = await link.run((client) => client.hmget(keys.journal, ...ids));
    return texts.flatMap((text) => (text === null ? [] : [decode<JournalEntry>(text)]));
  }

  function putInput(entries: readonly JournalEntry[]): ScriptInput {
    const args = entries.flatMap((entry) => [entry.id, encode(entry), valueMember(entry, entry.id)]);
    return { keys: own, args };
  }

  return {
    intend: async (entries) => {
      if (entries.length > 0) await durable.run((client) => runScript(client, putScript, putInput(entries)));
    },
    update: async (entries) => {
      if (entries.length > 0) await link.run((client) => runScript(client, putScript, putInput(entries)));
    },
    get: async (id) => decodeMaybe(await link.run((client) => client.hget(keys.journal, id))),
    forget: async (ids) => {
      const entries = await many(ids);
      if (entries.length === 0) return;
      const args = entries.flatMap((entry) => [entry.id, valueMember(entry, entry.id)]);
      await link.run((client) => runScript(client, forgetScript, { keys: own, args }));
    },
    sharing: async (value) => {
      const start = valueMember(value, '');
      const members = await link.run((client) =>
        client.zrange(keys.journalValues, `[${start}`, `[${start}\xff`, 'BYLEX'),
      );
      return many(members.map((member) => member.slice(start.length)));
    },
    all: async () => {
      const texts = await link.run((client) => client.hvals(keys.journal));
      return texts.map((text) => decode<JournalEntry>(text));
    },
  };
}

/** Place of an entry in the index by value. */
export function valueMember({ account, zone, name, value }: Value, id: string): string {
  return [account, zone, name, value, id].join('\0');
}
