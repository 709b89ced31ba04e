import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { AgentError } from '../core/errors.ts';
import type { Instant } from '../core/types.ts';
import { type Crypt, keyName } from './crypt.ts';

/** First line of a backup, readable without the master key. */
export interface BackupHeader {
  readonly format: 'acme-agent backup';
  readonly version: 1;
  readonly storeId: string;
  readonly schema: number;
  readonly createdAt: Instant;
  /** Of the master key that opens it. */
  readonly keyCheck: string;
}

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * Writes a header line and then sealed frames of compressed lines, each with its length before it. The number of a frame
 * and whether it is the last are sealed with it, so that a file cut short or put together from two does not open.
 * Throws `config.unwritable`; the file appears whole or not at all.
 */
export async function writeBackupFile(path: string, content: BackupContent): Promise<void> {
  // A name of its own, which nobody can have laid a link at: two may write to one path, each whole, and the last one stays.
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  const file = await open(draft, 'wx', 0o600).catch(refuseToWrite(path));
  try {
    try {
      await writeFrames(file, content, path);
    } finally {
      await file.close();
    }
    await rename(draft, path).catch(refuseToWrite(path));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

interface BackupContent {
  readonly header: BackupHeader;
  readonly parts: AsyncIterable<readonly string[]>;
  readonly crypt: Crypt;
}

async function writeFrames(
  file: FileHandle,
  { header, parts, crypt }: BackupContent,
  path: string,
): Promise<void> {
  const write = (bytes: Uint8Array) => file.appendFile(bytes).catch(refuseToWrite(path));
  await write(Buffer.from(`${JSON.stringify(header)}\n`));
  let index = 0;
  let held: readonly string[] = [];
  const writeFrame = async (isLast: boolean) => {
    const identity = identityOf(header, { index: index++, isLast });
    const sealed = crypt.sealBytes(await compress(held.join('\n')), identity);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(sealed.length);
    await write(Buffer.concat([length, sealed]));
  };
  for await (const lines of parts) {
    if (held.length > 0) await writeFrame(false);
    held = lines;
  }
  await writeFrame(true);
  await file.sync().catch(refuseToWrite(path));
}

/** For whatever writes a part of a backup file. */
export function refuseToWrite(path: string): (cause: unknown) => never {
  return (cause) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const reason = reasons[code] ?? `cannot be written (${code || String(cause)})`;
    const advice = code === 'EISDIR' ? 'Name a file; it may be in that folder.' : undefined;
    throw new AgentError('config.unwritable', `the backup ${path} ${reason}`, { advice, cause });
  };
}

const reasons: Readonly<Record<string, string | undefined>> = {
  EACCES: `cannot be written by user ${process.geteuid?.()}`,
  EPERM: `cannot be written by user ${process.geteuid?.()}`,
  EROFS: 'cannot be written: the file system is read-only',
  EFBIG: 'cannot be written: it is larger than this user may write, or than the file system takes',
  ENOSPC: 'cannot be written: the disk is full',
  EDQUOT: 'cannot be written: the disk quota of this user is used up',
  EISDIR: 'cannot be written: there is a folder of this name',
  ENOTSUP: 'cannot be written: the file system takes no folders',
  ENOTDIR: 'cannot be written: it lies below something that is not a folder',
  EEXIST: 'cannot be written: it lies below something that is not a folder',
};

/** What a backup says of itself without a key. Throws `store.backup`, or `config.unreadable` for no file at all. */
export async function readBackupHeader(path: string): Promise<BackupHeader> {
  return (await openBackup(path)).header;
}

/** Reads and checks all of it. Throws as `readBackupHeader` does, or `store.masterKey` for another key. */
export async function readBackupFile(
  path: string,
  crypt: Crypt,
): Promise<{ readonly header: BackupHeader; readonly lines: readonly string[] }> {
  const { header, bytes, headerEnd } = await openBackup(path);
  if (!crypt.knows(header.keyCheck))
    throw new AgentError(
      'store.masterKey',
      `the backup ${path} was made with the master key ${keyName(header.keyCheck)}, this one is ${keyName(crypt.keyCheck)}`,
    );
  const lines: string[] = [];
  let at = headerEnd + 1;
  for (let index = 0; at < bytes.length; index++) {
    const end = at + 4 + (at + 4 <= bytes.length ? bytes.readUInt32BE(at) : 0);
    const isLast = end >= bytes.length;
    const frame = await openFrame(bytes.subarray(at + 4, end), {
      identity: identityOf(header, { index, isLast }),
      path,
      crypt,
    });
    for (const line of frame.split('\n')) if (line !== '') lines.push(line);
    at = end;
  }
  if (lines.length === 0) throw damaged(path);
  return { header, lines };
}

async function openBackup(path: string) {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const reason = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`;
    throw new AgentError('config.unreadable', `the backup ${path} ${reason}`, { cause });
  });
  const headerEnd = bytes.indexOf('\n');
  return { bytes, headerEnd, header: parseHeader(bytes.subarray(0, headerEnd).toString(), path) };
}

function parseHeader(line: string, path: string): BackupHeader {
  try {
    const header = JSON.parse(line) as BackupHeader;
    if (header.format === 'acme-agent backup' && header.version === 1) return header;
  } catch {
    // Told below, together with a header of another kind.
  }
  throw new AgentError('store.backup', `${path} is not a backup of acme-agent`);
}

async function openFrame(
  sealed: Buffer,
  { identity, path, crypt }: { identity: string; path: string; crypt: Crypt },
): Promise<string> {
  try {
    return (await decompress(crypt.openBytes(sealed, identity))).toString();
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause?: unknown): AgentError {
  return new AgentError('store.backup', `the backup ${path} is damaged or incomplete`, { cause });
}

function identityOf(
  { storeId, createdAt }: BackupHeader,
  { index, isLast }: { index: number; isLast: boolean },
): string {
  return `backup:${storeId}:${createdAt}:${index}:${isLast ? 'last' : 'more'}`;
}
