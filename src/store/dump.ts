import { Cluster } from 'ioredis';
import { AgentError } from '../core/errors.ts';
import type { Keys } from './keys.ts';
import type { Link, RedisClient } from './redis.ts';

/** One key with all it holds, independent of the server's version. `name` is without the prefix. */
export interface DumpedKey {
  readonly name: string;
  readonly type: 'string' | 'hash' | 'set' | 'zset' | 'stream';
  /** Milliseconds it had left, if it expires. */
  readonly lifeMs?: number | undefined;
  /** Base64. string: the value · hash: field, value … · set: members · zset: member, score … · stream: id, field, value … */
  readonly content: readonly string[];
  /** Of a stream: group and the event after which it goes on. */
  readonly groups?: readonly (readonly [group: string, after: string])[] | undefined;
}

const eventsDumped = 10_000;

/** Names of all keys of the store, without those of the queues; unsorted. */
export async function listKeys({ client, run }: Link, { prefix }: Keys): Promise<readonly string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  const match = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  const names = new Set<string>();
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, found] = await run(() => node.scan(cursor, 'MATCH', match, 'COUNT', 1_000));
      for (const key of found) if (!key.startsWith(`${prefix}q:`)) names.add(key);
      cursor = next;
    } while (cursor !== '0');
  }
  return [...names];
}

/** undefined: the key is gone. */
export async function dumpKey(
  client: RedisClient,
  key: string,
  prefix: string,
): Promise<DumpedKey | undefined> {
  const [type, left] = await Promise.all([client.type(key), client.pttl(key)]);
  const content = await contentOf(client, key, type);
  if (content === undefined || left === -2) return undefined;
  return {
    name: key.slice(prefix.length),
    type: type as DumpedKey['type'],
    ...(left >= 0 && { lifeMs: left }),
    content: content.map((part) => part.toString('base64')),
    ...(type === 'stream' && { groups: await groupsOf(client, key) }),
  };
}

async function contentOf(
  client: RedisClient,
  key: string,
  type: string,
): Promise<readonly Buffer[] | undefined> {
  switch (type) {
    case 'string': {
      const value = await client.getBuffer(key);
      return value === null ? undefined : [value];
    }
    case 'hash':
      return Object.entries(await client.hgetallBuffer(key)).flatMap(([field, value]) => [
        Buffer.from(field),
        value,
      ]);
    case 'set':
      return client.smembersBuffer(key);
    case 'zset':
      return client.zrangeBuffer(key, 0, '-1', 'WITHSCORES') as Promise<Buffer[]>;
    case 'stream': {
      const entries = await client.xrevrange(key, '+', '-', 'COUNT', eventsDumped);
      return entries
        .reverse()
        .flatMap(([id, fields]) => [id, fields[0] ?? '', fields[1] ?? ''].map((part) => Buffer.from(part)));
    }
    case 'none':
      return undefined;
    default:
      throw new AgentError('bug', `the key ${key} has the unexpected type ${type}`);
  }
}

/** A group goes on with what it was given and did not acknowledge. */
async function groupsOf(client: RedisClient, key: string): Promise<readonly (readonly [string, string])[]> {
  const infos = (await client.xinfo('GROUPS', key)) as readonly (readonly (string | number)[])[];
  return Promise.all(
    infos.map(async (info): Promise<readonly [string, string]> => {
      const field = (name: string) => String(info[info.indexOf(name) + 1]);
      const group = field('name');
      const [, oldest]: readonly unknown[] = await client.xpending(key, group);
      return [group, typeof oldest === 'string' ? idBefore(oldest) : field('last-delivered-id')];
    }),
  );
}

function idBefore(id: string): string {
  const [ms = 0n, sequence = 0n] = id.split('-').map(BigInt);
  return sequence > 0n ? `${ms}-${sequence - 1n}` : `${ms - 1n}-18446744073709551615`;
}

/** Commands that make the key as it was, a bounded number of arguments each. */
export function loadCommands(dumped: DumpedKey, prefix: string): readonly (readonly (string | Buffer)[])[] {
  const key = prefix + dumped.name;
  const content = dumped.content.map((part) => Buffer.from(part, 'base64'));
  const commands = writeCommands(dumped, key, content);
  const groups = (dumped.groups ?? []).map(([group, after]) => [
    'xgroup',
    'CREATE',
    key,
    group,
    after,
    'MKSTREAM',
  ]);
  const life = dumped.lifeMs === undefined ? [] : [['pexpire', key, String(dumped.lifeMs)]];
  return [...commands, ...groups, ...life];
}

function writeCommands(
  { type }: DumpedKey,
  key: string,
  content: readonly Buffer[],
): readonly (readonly (string | Buffer)[])[] {
  switch (type) {
    case 'string':
      return content.map((value) => ['set', key, value]);
    case 'hash':
      return slices(content, 500).map((fields) => ['hset', key, ...fields]);
    case 'set':
      return slices(content, 500).map((members) => ['sadd', key, ...members]);
    case 'zset':
      return slices(content, 500).map((pairs) => ['zadd', key, ...swapped(pairs)]);
    case 'stream':
      return slices(content, 3).map((entry) => ['xadd', key, ...entry]);
  }
}

function swapped(pairs: readonly Buffer[]): readonly Buffer[] {
  return slices(pairs, 2).flatMap(([member, score]) => (member && score ? [score, member] : []));
}

function slices<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}
