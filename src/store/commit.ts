import { AgentError } from '../core/errors.ts';
import type { Change, Changes } from '../core/ports.ts';
import type { Base } from './base.ts';
import { type Check, checksOf, type Write, writesOf } from './change.ts';
import type { DurableWriter } from './durable.ts';
import { lostStore } from './lost.ts';
import { type Argument, defineScript, runScript, type ScriptInput } from './script.ts';

/**
 * Runs checks, then writes. Arguments: store id; number of checks, each `kind key a b`; then writes, each
 * `command key count argument…`. `key` is a position in KEYS, of which the first is meta. Four writes are ours:
 * `generation` (flips the pointer and forgets all but the last three), `forget` (a lineage with all it holds), `put-off`
 * (member, score it had or nothing, new score) and `served` (channel, members): numbers them with the time, so that the
 * numbers of a store that was restored do not begin again.
 */
const commitScript = defineScript(`
local at = 0
local function take() at = at + 1 return ARGV[at] end
local function takeKey() return KEYS[tonumber(take())] end

local chains, refs = KEYS[2], KEYS[3]
local function drop(lineage, number)
  for id in string.gmatch(redis.call('HGET', lineage, 'h' .. number) or '', '[^,]+') do
    if redis.call('HINCRBY', refs, id, -1) < 1 then
      redis.call('HDEL', refs, id)
      redis.call('HDEL', chains, id)
    end
  end
  redis.call('HDEL', lineage, 'f' .. number, 'b' .. number, 'h' .. number)
end
local function held(lineage)
  local numbers = {}
  for number in string.gmatch(redis.call('HGET', lineage, 'g') or '', '%d+') do table.insert(numbers, number) end
  return numbers
end

local own = {}
own['generation'] = function(lineage, args)
  local number, ids = args[1], {}
  for i = 4, #args, 2 do
    table.insert(ids, args[i])
    redis.call('HSETNX', chains, args[i], args[i + 1])
    redis.call('HINCRBY', refs, args[i], 1)
  end
  local numbers = held(lineage)
  table.insert(numbers, number)
  while #numbers > 3 do drop(lineage, table.remove(numbers, 1)) end
  redis.call('HSET', lineage, 'c', number, 'g', table.concat(numbers, ','),
    'f' .. number, args[2], 'b' .. number, args[3], 'h' .. number, table.concat(ids, ','))
end
own['forget'] = function(lineage)
  for _, number in ipairs(held(lineage)) do drop(lineage, number) end
  redis.call('DEL', lineage)
end
own['put-off'] = function(due, args)
  local score = redis.call('ZSCORE', due, args[1])
  if score and tonumber(score) == tonumber(args[2]) then
    redis.call('ZADD', due, args[3], args[1])
  else
    redis.call('ZADD', due, 'LT', args[3], args[1])
  end
end
own['served'] = function(served, args)
  local last, now = redis.call('ZREVRANGE', served, 0, 0, 'WITHSCORES'), redis.call('TIME')
  local number = math.max((tonumber(last[2]) or 0) + 1, now[1] * 1000 + math.floor(now[2] / 1000))
  for i = 2, #args do redis.call('ZADD', served, string.format('%.0f', number), args[i]) end
  redis.call('ZREMRANGEBYRANK', served, 0, -100001)
  redis.call('PUBLISH', args[1], '')
end

-- A master that was just demoted is emptied before it copies its successor: then the write fails, and nothing is lost.
if redis.call('HGET', KEYS[1], 'storeId') ~= take() then
  redis.call('HDEL', KEYS[1], '')
  return 'lost'
end
for _ = 1, tonumber(take()) do
  local kind, key, a, b = take(), takeKey(), take(), take()
  if kind == 'fence' then
    if string.match(redis.call('GET', key) or '', '^%d+') ~= a then return 'fenced' end
  elseif kind == 'version' then
    if (string.match(redis.call('HGET', key, a) or '0', '^%d+') or '0') ~= b then return 'conflict' end
  elseif kind == 'held' then
    if not redis.call('HGET', key, a) then return 'conflict' end
  elseif tonumber(string.match(redis.call('HGET', key, 'g') or '0', '%d+$')) >= tonumber(a) then
    return 'conflict'
  end
end
while at < #ARGV do
  local command, key, args = take(), takeKey(), {}
  for i = 1, tonumber(take()) do args[i] = take() end
  if own[command] then own[command](key, args) else redis.call(command, key, unpack(args)) end
end
return 'done'
`);

/** Each commit is one script: a reader sees all of it or nothing. */
export function createChanges(base: Base, durable: DurableWriter): Changes {
  const { link, keys } = base;

  /** A failover may come at any moment, so where there are sentinels every commit waits for a replica. */
  const isReplicated = link.sentinels !== undefined;

  async function commit(change: Change): Promise<void> {
    const checks = checksOf(change, keys);
    const writes = await writesOf(change, base);
    if (checks.length + writes.length === 0) return;
    const input = encodeInput({ checks, writes }, base);
    const answer =
      change.durable === true || isReplicated
        ? await durable.run((client) => runScript(client, commitScript, input))
        : await link.run((client) => runScript(client, commitScript, input));
    if (answer !== 'done') throw refusal(String(answer), change, link);
  }

  return { commit };
}

function encodeInput(
  { checks, writes }: { checks: readonly Check[]; writes: readonly Write[] },
  { keys, storeId }: Base,
): ScriptInput {
  const places = new Map<string, number>();
  const place = (key: string) => {
    const known = places.get(key) ?? places.size + 1;
    places.set(key, known);
    return known;
  };
  for (const key of [keys.meta, keys.chains, keys.chainRefs]) place(key);
  const args: Argument[] = [storeId, checks.length];
  for (const { kind, key, a, b } of checks) args.push(kind, place(key), a, b ?? '');
  for (const { command, key, args: own } of writes) {
    args.push(command, place(key), own.length);
    for (const one of own) args.push(one);
  }
  return { keys: [...places.keys()], args };
}

function refusal(answer: string, change: Change, link: Base['link']): AgentError {
  if (answer === 'fenced')
    return new AgentError(
      'store.fenced',
      `the lock "${change.fence?.lock}" is no longer held by this worker`,
    );
  if (answer === 'lost') return lostStore(link);
  return new AgentError('store.conflict', 'another writer changed the record in between');
}
