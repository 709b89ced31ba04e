import { defaultPrefix } from './keys.ts';

/** Used by the store and its scripts. */
const storeCommands = `
  get set del exists pexpire incr time
  hget hset hsetnx hmget hgetall hvals hkeys hdel hincrby
  sadd srem smembers
  zadd zrem zrange zrevrange zscore zremrangebyscore
  xadd xreadgroup xack xgroup|create xrevrange xpending xinfo|groups
  publish subscribe
  type pttl scan`;

/** Used by the queue library besides; those for lists, and transactions, by the store too. */
const queueCommands = `
  unlink persist
  hmset hexists
  lpush rpush rpop rpoplpush lrange lrem llen lindex lpos ltrim
  scard
  zcard zcount zpopmin bzpopmin zrangebyscore zrevrangebyscore zremrangebyrank
  xread xtrim
  eval evalsha multi exec`;

/** Used by the driver and for the checks at start; `config|get` may be left out from Redis 8 on. */
const connectionCommands = `
  hello auth ping quit select info config|get wait waitaof
  client|setname client|setinfo client|list
  cluster|slots cluster|info cluster|keyslot readonly asking role`;

/** Commands above that servers before Redis 7.2 do not know and therefore refuse in rules. */
export const newerCommands: readonly string[] = ['waitaof', 'client|setinfo'];

/**
 * The least rights an agent needs, as the rules of an ACL user: `ACL SETUSER acme-agent >PASSWORD` and then this. Leave
 * out `newerCommands` on a server that does not know them.
 */
export const aclRules: string = aclRulesFor(defaultPrefix);

/** What `openReader` uses: reading alone, and only of what is shown to clients. */
const readerCommands = `
  hget hmget hgetall hexists smembers zrevrange zrangebyscore eval evalsha subscribe
  hello auth ping quit select info client|setname client|setinfo
  cluster|slots cluster|info cluster|keyslot asking role`;

const readerKeys = 'meta domains groups:* uploads:* lineage:* chains bindings renewals served';

/** The least rights of a process that shows certificates; without accounts, orders and whatever else is secret. */
export const readerAclRules: string = readerAclRulesFor(defaultPrefix);

export function readerAclRulesFor(prefix: string, without: readonly string[] = []): string {
  const allowed = readerCommands
    .trim()
    .split(/\s+/)
    .filter((command) => !without.includes(command));
  return [
    'on',
    'resetkeys',
    ...readerKeys.split(' ').map((key) => `~${prefix}:${key}`),
    'resetchannels',
    `&${prefix}:served-changed`,
    '-@all',
    ...allowed.map((command) => `+${command}`),
  ].join(' ');
}

/** Besides, for one that also tells the agents of hosts that clients ask for: it still writes nothing. */
export const askerAclRules: string = askerAclRulesFor(defaultPrefix);

export function askerAclRulesFor(prefix: string): string {
  return `&${prefix}:hosts-asked +publish`;
}

/** For another prefix, and without some of the commands. */
export function aclRulesFor(prefix: string, without: readonly string[] = []): string {
  const commands = [storeCommands, queueCommands, connectionCommands].flatMap((list) =>
    list.trim().split(/\s+/),
  );
  const allowed = [...new Set(commands)].filter((command) => !without.includes(command));
  return [
    'on',
    'resetkeys',
    `~${prefix}:*`,
    'resetchannels',
    `&${prefix}:*`,
    '-@all',
    ...allowed.map((c) => `+${c}`),
  ].join(' ');
}
