import type { Buckets } from '../core/ports.ts';
import type { Base } from './base.ts';
import { defineScript, runScript } from './script.ts';

/**
 * KEYS: one a take. ARGV: now, then capacity, tokens a second and cost of each. A bucket is `tokens instant`; absent: full.
 * Answers whether all were taken, and in how many milliseconds all have enough. The same bucket may come twice.
 */
const takeScript = defineScript(`
local now, wait, level = tonumber(ARGV[1]), 0, {}
local function of(i) return tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]) end
for i, key in ipairs(KEYS) do
  local capacity, rate, cost = of(i)
  if not level[key] then
    local tokens, at = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
    local elapsed = math.max(0, now - tonumber(at or now))
    level[key] = math.min(capacity, tonumber(tokens or capacity) + elapsed * rate / 1000)
  end
  level[key] = level[key] - cost
  if level[key] < -1e-9 then wait = math.max(wait, -level[key] * 1000 / rate) end
end
if wait > 0 then return { 0, string.format('%.0f', math.ceil(math.min(wait, 1e15))) } end
for i, key in ipairs(KEYS) do
  local capacity, rate = of(i)
  local fullMs = rate > 0 and (capacity - level[key]) * 1000 / rate or 1e12
  local keep = string.format('%.0f', math.ceil(math.min(2 * fullMs + 3600000, 1e13)))
  redis.call('SET', key, string.format('%.17g %.0f', level[key], now), 'PX', keep)
end
return { 1, '0' }
`);

/** Token buckets. A bucket that is full again needs no memory; time is the caller's, and never runs backwards for a bucket. */
export function createBuckets({ link, keys }: Base): Buckets {
  return {
    take: async (takes, now) => {
      const args = takes.flatMap(({ capacity, perSecond, cost }) => [capacity, perSecond, cost]);
      const input = { keys: takes.map(({ key }) => keys.bucket(key)), args: [now, ...args] };
      const [taken, waitMs] = (await link.run((client) => runScript(client, takeScript, input))) as readonly [
        number,
        string,
      ];
      return { taken: taken === 1, readyAt: now + Number(waitMs) };
    },
  };
}
