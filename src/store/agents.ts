import type { Base } from './base.ts';
import { defineScript, runScript } from './script.ts';

/** An agent on a store, and the hash of its shared configuration. */
export interface LivingAgent {
  readonly id: string;
  readonly hash: string;
}

export interface Agreement {
  /**
   * Says which shared configuration this agent has. Resolves with the agents that came before with another one: while
   * there are any, this agent must not work. Say it again several times a minute, or it no longer counts; closing the
   * store takes it back.
   */
  agreeOnConfig(agentId: string, hash: string): Promise<readonly LivingAgent[]>;
  close(): Promise<void>;
}

/**
 * KEYS: agents. ARGV: agent, hash, milliseconds that it counts. A value is `since until hash`; the server's clock decides.
 * Answers id and hash of each agent that counts, came earlier and differs.
 */
const announceScript = defineScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function parse(value) return string.match(value or '', '^(%d+) (%d+) (.*)$') end
local since, till, hash = parse(redis.call('HGET', KEYS[1], ARGV[1]))
if hash ~= ARGV[2] or tonumber(till) < now then since = string.format('%.0f', now) end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f %s', since, now + ARGV[3], ARGV[2]))
local others, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local began, ends, other = parse(all[i + 1])
  if tonumber(ends) < now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif other ~= ARGV[2] and (tonumber(began) < tonumber(since) or began == since and all[i] < ARGV[1]) then
    table.insert(others, all[i])
    table.insert(others, other)
  end
end
return others
`);

const lifeMs = 90_000;

export function createAgreement({ link, keys }: Pick<Base, 'link' | 'keys'>): Agreement {
  let own: string | undefined;

  async function agreeOnConfig(agentId: string, hash: string): Promise<readonly LivingAgent[]> {
    own = agentId;
    const input = { keys: [keys.agents], args: [agentId, hash, lifeMs] };
    const flat = (await link.run((client) => runScript(client, announceScript, input))) as readonly string[];
    return flat.flatMap((id, index) => (index % 2 === 0 ? [{ id, hash: flat[index + 1] ?? '' }] : []));
  }

  async function close(): Promise<void> {
    const left = own;
    own = undefined;
    if (left !== undefined) await link.run((client) => client.hdel(keys.agents, left)).catch(() => undefined);
  }

  return { agreeOnConfig, close };
}

/** The agents that count on a store, opened or not; one that was killed does so for 90 s. */
export async function livingAgents({
  link,
  keys,
}: Pick<Base, 'link' | 'keys'>): Promise<readonly LivingAgent[]> {
  const [entries, [seconds]] = await link.run((client) =>
    Promise.all([client.hgetall(keys.agents), client.time()]),
  );
  const now = Number(seconds) * 1000;
  return Object.entries(entries).flatMap(([id, value]) => {
    const [, until, hash = ''] = value.split(' ');
    return Number(until) >= now ? [{ id, hash }] : [];
  });
}
