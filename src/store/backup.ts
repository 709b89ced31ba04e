import { mkdir, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Instant } from '../core/types.ts';
import { type BackupHeader, writeBackupFile } from './backup-file.ts';
import type { Base } from './base.ts';
import { type DumpedKey, dumpKey, listKeys } from './dump.ts';
import { schemaVersion } from './meta.ts';

const keysAtOnce = 200;
const nameFormat = /^acme-agent-\d{8}T\d{6}Z\.backup$/;

/** Of no use in another process or at another time. */
const passing = /^(lock:|token:|agents$)/;
/** Computed again from what they index. */
const derived = /^(chain-refs|journal-leases|journal-values)$/;
/** Written last in every change that adds to them, so read last: what they name is then in the backup. */
const indexes = /^(lineages|tasks|due)(:|$)/;

/** File name of a backup made at `now`; names sort by time. */
export function backupFileName(now: Instant): string {
  return `acme-agent-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')}.backup`;
}

/** Writes all that the store holds, without the queues, into one file that only the master key opens; mode 0600. */
export async function writeBackup(path: string, base: Base): Promise<{ readonly keys: number }> {
  const { keys, crypt, storeId, clock } = base;
  const header: BackupHeader = {
    format: 'acme-agent backup',
    version: 1,
    storeId,
    schema: schemaVersion,
    createdAt: clock.now(),
    keyCheck: crypt.keyCheck,
  };
  const names = inOrder(await listKeys(base.link, keys), keys.prefix);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  let count = 0;
  async function* parts(): AsyncGenerator<readonly string[]> {
    for (let start = 0; start < names.length; start += keysAtOnce) {
      const dumped = await dumpAll(names.slice(start, start + keysAtOnce), base);
      count += dumped.length;
      yield dumped.map((one) => JSON.stringify(one));
    }
  }
  await writeBackupFile(path, { header, parts: parts(), crypt });
  return { keys: count };
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

/** Removes all but the newest backups of a folder; other files stay. */
export async function rotateBackups(folder: string, keep = 7): Promise<void> {
  const names = (await readdir(folder)).filter((name) => nameFormat.test(name)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - keep))) await unlink(join(folder, name));
}
