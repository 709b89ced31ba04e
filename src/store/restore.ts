import { AgentError } from '../core/errors.ts';
import type { JournalEntry } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { livingAgents } from './agents.ts';
import { readBackupFile } from './backup-file.ts';
import { decode } from './codec.ts';
import { createCrypt } from './crypt.ts';
import { createTolerance, type Tolerate } from './damage.ts';
import { type DumpedKey, listKeys, loadCommands } from './dump.ts';
import { openStore, type StoreOptions } from './index.ts';
import { valueMember } from './journal.ts';
import { createKeys, type Keys } from './keys.ts';
import { restoringField, schemaVersion } from './meta.ts';
import { connectRedis, type Link } from './redis.ts';

export interface RestoreOptions extends StoreOptions {
  readonly file: string;
  /** Empty the store first, if there is one. */
  readonly force?: boolean | undefined;
  /** No agent can run on it, whatever the store says: one that was killed may still count there. */
  readonly owned?: boolean | undefined;
}

export interface Restored {
  readonly storeId: string;
  readonly createdAt: Instant;
}

const commandsAtOnce = 500;

/**
 * Fills an empty store from a backup; it is then the very store that was backed up. Nothing is written before all of the
 * file was read and checked, and until all is there nobody opens it. Throws `store.backup`, `store.masterKey`, `store.schema`,
 * `store.inUse` while agents run on it, `store.notEmpty`.
 */
export async function restoreStore(options: RestoreOptions): Promise<Restored> {
  const crypt = createCrypt(options.masterKeys);
  const { header, lines } = await readBackupFile(options.file, crypt);
  if (header.schema !== schemaVersion)
    throw new AgentError(
      'store.schema',
      `the backup ${options.file} has schema ${header.schema}, not ${schemaVersion}`,
    );
  const dumped = lines.map((line) => decode<DumpedKey>(line, 'a line of the backup'));
  const link = await connectRedis(options.redis, options);
  const keys = createKeys(options.prefix);
  try {
    await emptyStore(link, keys, options);
    const records = dumped.filter(({ name }) => keys.prefix + name !== keys.meta);
    await load(records, link, keys);
    await send(link, [
      ...chainRefs(records, keys),
      ...journalValues(records, keys, createTolerance(options.log)),
    ]);
    const mark = dumped.filter(({ name }) => keys.prefix + name === keys.meta);
    await send(link, [
      ...mark.flatMap((one) => loadCommands(one, keys.prefix)),
      ['hdel', keys.meta, restoringField],
    ]);
  } finally {
    await link.close();
  }
  const store = await openStore({ ...options, acceptEmptyStore: true });
  await store.changes.commit({
    events: [{ type: 'store.restored', facts: { file: options.file, createdAt: header.createdAt } }],
    durable: true,
  });
  await store.close();
  return { storeId: header.storeId, createdAt: header.createdAt };
}

async function emptyStore(link: Link, keys: Keys, { force, owned }: RestoreOptions): Promise<void> {
  const agents = owned === true ? [] : await livingAgents({ link, keys });
  if (agents.length > 0)
    throw new AgentError(
      'store.inUse',
      `${agents.length === 1 ? 'an agent runs' : 'agents run'} on the store at ${link.address}: ${agents.map(({ id }) => id).join(', ')}`,
    );
  const names = await listKeys(link, keys);
  if (names.length > 0 && force !== true)
    throw new AgentError('store.notEmpty', `the store at ${link.address} is not empty`);
  const old = names.filter((name) => name !== keys.meta);
  await send(link, [['hset', keys.meta, restoringField, '1'], ...old.map((name) => ['unlink', name])]);
}

async function load(dumped: readonly DumpedKey[], link: Link, keys: Keys): Promise<void> {
  await send(
    link,
    dumped.flatMap((one) => loadCommands(one, keys.prefix)),
  );
}

type RawCommand = readonly (string | Buffer)[];

async function send(link: Link, commands: readonly RawCommand[]): Promise<void> {
  for (let start = 0; start < commands.length; start += commandsAtOnce) {
    const part = commands.slice(start, start + commandsAtOnce);
    await link.run(async (client) => {
      const pipeline = client.pipeline();
      for (const [name = '', ...args] of part) pipeline.call(String(name), ...args);
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    });
  }
}

/** Counts each intermediate once for each generation that has it in its chain. */
function chainRefs(dumped: readonly DumpedKey[], keys: Keys): readonly RawCommand[] {
  const chains = dumped.filter(({ name }) => name.startsWith('lineage:')).flatMap((one) => fieldsOf(one));
  return chains
    .filter(([field]) => field.startsWith('h'))
    .flatMap(([, ids]) => ids.split(',').filter((id) => id !== ''))
    .map((id) => ['hincrby', keys.chainRefs, id, '1']);
}

function journalValues(dumped: readonly DumpedKey[], keys: Keys, tolerate: Tolerate): readonly RawCommand[] {
  const entries = dumped
    .filter(({ name }) => name === 'journal')
    .flatMap(fieldsOf)
    .flatMap(([id, text]) => tolerate(() => [decode<JournalEntry>(text, `the journal entry ${id}`)], []));
  return entries.map((entry) => ['zadd', keys.journalValues, '0', valueMember(entry, entry.id)]);
}

function fieldsOf({ content }: DumpedKey): readonly (readonly [field: string, value: string])[] {
  const parts = content.map((part) => Buffer.from(part, 'base64').toString());
  return parts.flatMap((field, index) => (index % 2 === 0 ? [[field, parts[index + 1] ?? ''] as const] : []));
}
