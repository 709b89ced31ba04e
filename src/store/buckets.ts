import type { Buckets } from '../core/ports.ts';
import type { BucketTake, Instant } from '../core/types.ts';
import type { Base } from './base.ts';
import { defineScript, runScript } from './script.ts';

/**
 * KEYS: one a bucket. ARGV: what to do, now, then of each bucket capacity, tokens a second, cost, least, settling time,
 * 1 if it may owe, and an instant. A bucket is `tokens instant young old turn`; absent: full. What was taken and may not
 * have been counted yet by the other side is `young` if taken since `turn`, else `old`; it leaves `tokens` when the last
 * of it has settled. What a drain says stands for all that was taken before it: giving that back changes nothing more. The
 * same bucket may come twice. Instants over an hour ahead are of a clock that was wrong.
 */
const script = defineScript(`
local what, now, buckets = ARGV[1], tonumber(ARGV[2]), {}
local function field(i, n) return tonumber(ARGV[7 * i - 5 + n]) end
local function refill(b, to)
  if to > b.at then b.tokens = math.min(b.capacity, b.tokens + (to - b.at) * b.rate / 1000); b.at = to end
end
local function turn(b)
  b.turn = b.turn + b.settle
  refill(b, b.turn)
  b.tokens, b.old, b.young = b.tokens - b.old, b.young, 0
end
local function save(key, b)
  local fullMs = b.rate > 0 and (b.capacity - b.tokens + b.young + b.old) * 1000 / b.rate or 1e12
  local keep = string.format('%.0f', math.ceil(math.min(2 * (fullMs + b.settle) + 3600000, 1e13)))
  local pending = b.young + b.old > 0 and string.format(' %.17g %.17g %.0f', b.young, b.old, b.turn) or ''
  redis.call('SET', key, string.format('%.17g %.0f', b.tokens, b.at) .. pending, 'PX', keep)
end
local function load(key, i)
  local b = { capacity = field(i, 1), rate = field(i, 2), settle = field(i, 5) }
  local stored = redis.call('GET', key) or ''
  local tokens, at, young, old, since = string.match(stored, '^(%S+) (%S+) ?(%S*) ?(%S*) ?(%S*)$')
  b.tokens, b.at = math.min(b.capacity, tonumber(tokens or b.capacity)), tonumber(at or now)
  b.young, b.old, b.turn = tonumber(young) or 0, tonumber(old) or 0, tonumber(since) or now
  if math.max(b.at, b.turn) > now + 3600000 then
    b.at, b.turn = math.min(b.at, now), math.min(b.turn, now)
    save(key, b)
  end
  while b.young + b.old > 0 and b.turn + b.settle <= now do turn(b) end
  refill(b, now)
  if b.young + b.old == 0 then b.turn = math.max(b.turn, now) end
  return b
end
local function wait(b, need)
  if b.tokens - b.young - b.old >= need - 1e-9 then return 0 end
  local c = {}
  for name, value in pairs(b) do c[name] = value end
  while true do
    local pending = c.young + c.old
    local ready = c.at + (need + pending - c.tokens) * 1000 / c.rate
    if pending == 0 or (need + pending <= c.capacity and ready <= c.turn + c.settle) then
      return math.max(1, math.min(ready - now, 1e15))
    end
    turn(c)
  end
end
for i, key in ipairs(KEYS) do buckets[key] = buckets[key] or load(key, i) end
local answer, refused = {}, false
for i, key in ipairs(KEYS) do
  local b, cost, least, instant = buckets[key], field(i, 3), field(i, 4), field(i, 7)
  if what == 'take' then
    local ms = field(i, 6) == 1 and 0 or wait(b, math.max(cost, least))
    refused = refused or ms > 0
    answer[i] = string.format('%.0f', math.ceil(ms))
    if b.settle > 0 then b.young = b.young + cost else b.tokens = b.tokens - cost end
    b.kept = b.kept or cost > 0
  elseif what == 'give' then
    if instant >= b.turn then b.young = math.max(0, b.young - cost)
    elseif instant >= b.turn - b.settle then b.old = math.max(0, b.old - cost) end
    b.kept = true
  elseif what == 'drain' then
    b.tokens = math.min(b.tokens - b.young - b.old, 1 - (instant - now) * b.rate / 1000)
    b.young, b.old, b.turn, b.kept = 0, 0, now, true
  elseif what == 'fill' then
    b.tokens, b.young, b.old, b.kept = b.capacity, 0, 0, true
  else
    local ms = math.ceil(wait(b, math.max(cost, least)))
    answer[i] = string.format('%.17g %.0f', b.tokens - b.young - b.old, ms)
  end
end
if not refused then
  for key, b in pairs(buckets) do
    if b.kept then save(key, b) end
  end
end
return answer
`);

type Deed = 'take' | 'give' | 'drain' | 'fill' | 'read';

/** Token buckets. A bucket that is full again needs no memory; time is the caller's, and never runs backwards for a bucket. */
export function createBuckets({ link, keys }: Base): Buckets {
  async function run(deed: Deed, buckets: readonly BucketTake[], now: Instant): Promise<readonly string[]> {
    if (buckets.length === 0) return [];
    const args = buckets.flatMap((one) => argumentsOf(one));
    const input = { keys: buckets.map(({ key }) => keys.bucket(key)), args: [deed, now, ...args] };
    return (await link.run((client) => runScript(client, script, input))) as readonly string[];
  }

  return {
    take: async (takes, now) => {
      const waits = (await run('take', takes, now)).map(Number);
      const lacking = takes
        .map((take, index) => ({ take, wait: waits[index] ?? 0 }))
        .filter(({ wait }) => wait > 0)
        .toSorted((a, b) => b.wait - a.wait)
        .map(({ take }) => take);
      return { taken: lacking.length === 0, readyAt: now + Math.max(0, ...waits), lacking };
    },
    giveBack: async (takes, now) => void (await run('give', takes, now)),
    drain: async (buckets, until, now) => {
      const drained = buckets.map((bucket) => ({ ...bucket, takenAt: until }));
      await run('drain', drained, now);
    },
    fill: async (buckets, now) => void (await run('fill', buckets, now)),
    levels: async (buckets, now) =>
      (await run('read', buckets, now)).map((answer) => {
        const [tokens = 0, waitMs = 0] = answer.split(' ').map(Number);
        return { tokens, readyAt: now + waitMs };
      }),
  };
}

function argumentsOf(take: BucketTake): readonly number[] {
  const { capacity, perSecond, cost, least = 0, settleMs = 0, mayOwe = false, takenAt = 0 } = take;
  return [capacity, perSecond, cost, least, settleMs, mayOwe ? 1 : 0, takenAt];
}
