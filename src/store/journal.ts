import type { Journal, JournalEntry } from '../core/ports.ts';
import type { Base } from './base.ts';
import { decode, encode } from './codec.ts';
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
export function createJournal({ link, keys, tolerate }: Base, durable: DurableWriter): Journal {
  const own = [keys.journal, keys.journalValues];

  /** None, where it is damaged: what it says to remove from a zone is not known any more. */
  function read(text: string, id: string): readonly JournalEntry[] {
    return tolerate(() => [decode<JournalEntry>(text, `the journal entry ${id}`)], []);
  }

  async function many(ids: readonly string[]): Promise<readonly JournalEntry[]> {
    if (ids.length === 0) return [];
    const texts = await link.run((client) => client.hmget(keys.journal, ...ids));
    return texts.flatMap((text, index) => (text === null ? [] : read(text, ids[index] ?? '')));
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
    get: async (id) => (await many([id]))[0],
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
      const found = await link.run((client) => client.hgetall(keys.journal));
      return Object.entries(found).flatMap(([id, text]) => read(text, id));
    },
  };
}

/** Place of an entry in the index by value. */
export function valueMember({ account, zone, name, value }: Value, id: string): string {
  return [account, zone, name, value, id].join('\0');
}
