import { open, readFile, rename } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { AgentError } from '../core/errors.ts';
import type { Instant } from '../core/types.ts';
import type { Crypt } from './crypt.ts';

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
 */
export async function writeBackupFile(
  path: string,
  { header, parts, crypt }: { header: BackupHeader; parts: AsyncIterable<readonly string[]>; crypt: Crypt },
): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.write(`${JSON.stringify(header)}\n`);
    let index = 0;
    let held: readonly string[] = [];
    const writeFrame = async (isLast: boolean) => {
      const sealed = crypt.sealBytes(
        await compress(held.join('\n')),
        identityOf(header, { index: index++, isLast }),
      );
      const length = Buffer.alloc(4);
      length.writeUInt32BE(sealed.length);
      await file.write(Buffer.concat([length, sealed]));
    };
    for await (const lines of parts) {
      if (held.length > 0) await writeFrame(false);
      held = lines;
    }
    await writeFrame(true);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** Reads and checks all of it. Throws `store.backup`, or `store.masterKey` for another key. */
export async function readBackupFile(
  path: string,
  crypt: Crypt,
): Promise<{ readonly header: BackupHeader; readonly lines: readonly string[] }> {
  const bytes = await readBytes(path);
  const headerEnd = bytes.indexOf('\n');
  const header = parseHeader(bytes.subarray(0, headerEnd).toString(), path);
  if (!crypt.knows(header.keyCheck))
    throw new AgentError('store.masterKey', `the backup ${path} was made with another master key`);
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

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new AgentError('store.backup', `the backup ${path} cannot be read`, { cause });
  }
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
