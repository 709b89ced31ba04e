import type { Tasks } from '../core/ports.ts';
import type { Task, TaskItem, TaskState } from '../core/types.ts';
import type { Base } from './base.ts';
import { decode, encode } from './codec.ts';
import { defineScript, runScript } from './script.ts';

/** Tasks are forgotten this long after they were last written as a whole. */
export const taskLifeMs = 90 * 86_400_000;

/**
 * KEYS: task. ARGV: item, state, note, instant. An item is `position|state|note`; `w` counts those that wait, `x` those
 * that failed. With the last one settled, the task ends.
 */
const settleScript = defineScript(`
local field = 'i' .. ARGV[1]
local position, was = string.match(redis.call('HGET', KEYS[1], field) or '', '^(%d+)|(%a+)|')
if not position then return 0 end
redis.call('HSET', KEYS[1], field, position .. '|' .. ARGV[2] .. '|' .. ARGV[3])
local function count(field, state)
  local change = (ARGV[2] == state and 1 or 0) - (was == state and 1 or 0)
  return redis.call('HINCRBY', KEYS[1], field, change)
end
local waiting, failed = count('w', 'waiting'), count('x', 'failed')
if waiting == 0 and redis.call('HGET', KEYS[1], 's') == 'running' then
  redis.call('HSET', KEYS[1], 's', failed > 0 and 'failed' or 'done', 't', ARGV[4])
end
return 1
`);

/** Tasks with one field an item: settling one of ten thousand writes only that one. */
export function createTasks({ link, keys, clock, tolerate }: Base): Tasks {
  async function get(id: string): Promise<Task | undefined> {
    const fields = await link.run((client) => client.hgetall(keys.task(id)));
    return tolerate(() => decodeTask(id, fields), undefined);
  }

  return {
    get,
    list: async (limit) => {
      const ids = await link.run((client) => client.zrevrange(keys.tasks, 0, limit - 1));
      const tasks = await Promise.all(ids.map(get));
      return tasks.filter((task) => task !== undefined);
    },
    settle: async (id, item) => {
      const args = [item.id, item.state, item.note ?? '', clock.now()];
      await link.run((client) => runScript(client, settleScript, { keys: [keys.task(id)], args }));
    },
  };
}

export function encodeTask({
  items,
  state,
  finishedAt,
  ...facts
}: Task): readonly (readonly [string, string])[] {
  const count = (wanted: TaskItem['state']) => String(items.filter((item) => item.state === wanted).length);
  return [
    ['r', encode(facts)],
    ['s', state],
    ['w', count('waiting')],
    ['x', count('failed')],
    ...(finishedAt === undefined ? [] : [['t', String(finishedAt)] as const]),
    ...items.map((item, index) => [`i${item.id}`, `${index}|${item.state}|${item.note ?? ''}`] as const),
  ];
}

function decodeTask(id: string, fields: Readonly<Record<string, string>>): Task | undefined {
  const { r, s, t } = fields;
  if (r === undefined) return undefined;
  const items = Object.entries(fields)
    .filter(([name]) => name.startsWith('i'))
    .map(([name, value]) => decodeItem(name.slice(1), value))
    .sort((a, b) => a.position - b.position);
  return {
    ...decode<Omit<Task, 'items' | 'state' | 'finishedAt'>>(r, `task ${id}`),
    state: s as TaskState,
    ...(t !== undefined && { finishedAt: Number(t) }),
    items: items.map(({ item }) => item),
  };
}

function decodeItem(id: string, value: string): { position: number; item: TaskItem } {
  const first = value.indexOf('|');
  const second = value.indexOf('|', first + 1);
  const note = value.slice(second + 1);
  return {
    position: Number(value.slice(0, first)),
    item: { id, state: value.slice(first + 1, second) as TaskItem['state'], ...(note !== '' && { note }) },
  };
}
