import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Instant } from '../core/types.ts';
import { makeFolder } from '../folder.ts';
import { type BackupHeader, refuseToWrite, writeBackupFile } from './backup-file.ts';
import type { Base } from './base.ts';
import { dueMember } from './due.ts';
import { type DumpedKey, dumpKey, listKeys } from './dump.ts';
import { schemaVersion } from './meta.ts';

/** Name of the chore that makes backups by itself. */
export const backupChore = 'backup';

/** A backup follows this soon after keys changed, one for all that change in between. */
export const backupSoonMs = 15 * 60_000;

const keysAtOnce = 200;
/** Of the newest, and of days. */
const kept = 7;
const nameFormat = /^acme-agent-(\d{8})T\d{6}Z\.backup(\.[0-9a-f]{16}\.new)?$/;

/** Of no use in another process or at another time. */
const passing = /^(lock:|token:|staging:|asked:|agents$|served$)/;
/** Computed again from what they index. */
const derived = /^(chain-refs|journal-values)$/;
/** Written last in every change that adds to them, so read last: what they name is then in the backup. */
const indexes = /^(lineages|uploads|bindings|tasks|due)(:|$)/;

/** What a write that makes a key adds to the due index (ZADD), unless a backup is due earlier. */
export function backupMark(now: Instant): readonly ['LT', number, string] {
  return ['LT', now + backupSoonMs, dueMember('upkeep', backupChore)];
}

/** File name of a backup made at `now`; names sort by time. */
export function backupFileName(now: Instant): string {
  return `acme-agent-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')}.backup`;
}

/**
 * Writes all that the store holds, without the queues, into one file that only the master key opens; mode 0600. Throws
 * `config.unwritable`; what stood there before then stays.
 */
export async function writeBackup(path: string, base: Base): Promise<void> {
  const { keys, crypt, storeId, clock } = base;
  const header: BackupHeader = {
    format: 'acme-agent backup',
    version: 1,
    storeId,
    schema: schemaVersion,
    createdAt: clock.now(),
    keyCheck: crypt.keyCheck,
  };
  await makeFolder(dirname(path), 0o700).catch(refuseToWrite(path));
  const names = inOrder(await listKeys(base.link, keys), keys.prefix);
  async function* parts(): AsyncGenerator<readonly string[]> {
    for (let start = 0; start < names.length; start += keysAtOnce) {
      const dumped = await dumpAll(names.slice(start, start + keysAtOnce), base);
      yield dumped.map((one) => JSON.stringify(one));
    }
  }
  await writeBackupFile(path, { header, parts: parts(), crypt });
}

/** Intermediates come first and last: one that was added or dropped in between is in one of the two. */
function inOrder(names: readonly string[], prefix: string): readonly string[] {
  const bare = (name: string) => name.slice(prefix.length);
  const wanted = names.filter((name) => !passing.test(bare(name)) && !derived.test(bare(name)));
  const isIndex = (name: string) => indexes.test(bare(name));
  const chains = wanted.filter((name) => bare(name) === 'chains');
  const records = wanted.filter((name) => !isIndex(name) && bare(name) !== 'chains');
  return [...chains, ...records, ...wanted.filter(isIndex), ...chains];
}

function dumpAll(names: readonly string[], { link, keys }: Base): Promise<readonly DumpedKey[]> {
  return link.run(async (client) => {
    const dumped = await Promise.all(names.map((name) => dumpKey(client, name, keys.prefix)));
    return dumped.filter((one) => one !== undefined);
  });
}

/**
 * Removes all backups of a folder but the newest seven and the last one of each of the latest seven days (UTC), so that
 * a busy hour does not push out the days before it; and what a killed backup left. Other files stay.
 */
export async function rotateBackups(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => nameFormat.test(name)).sort();
  const whole = names.filter((name) => name.endsWith('.backup'));
  const lastOfDay = new Map(whole.map((name) => [nameFormat.exec(name)?.[1], name]));
  const staying = new Set([...whole.slice(-kept), ...[...lastOfDay.values()].slice(-kept)]);
  for (const name of names) if (!staying.has(name)) await rm(join(folder, name), { force: true });
}
