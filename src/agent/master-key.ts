import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { AgentError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { type Secret, secret } from '../core/secret.ts';
import { makeFolder, nearestExisting } from '../folder.ts';
import { createCrypt, keyName } from '../store/crypt.ts';

/**
 * The 32 bytes that seal every private key in the store: from the environment or a file, as hex or base64. A file that
 * is not there is made, mode 0600, but only while there is no store yet that another key belongs to.
 */
export async function readMasterKey(
  source: Config['masterKey'],
  { storeExists, log }: { readonly storeExists: () => Promise<boolean>; readonly log: Log },
): Promise<Secret<Uint8Array>> {
  if ('value' in source) return decodeVariable(source.value);
  const { file } = source;
  const key = await readKeyFile(file);
  if (key !== undefined) return key;
  if (await storeExists()) throw missingMasterKey(file);
  const made = await makeKeyFile(file);
  // The path may have been mistyped, and whoever has no copy of it when the machine is lost has lost all keys.
  log.warn({ file, key: shortName(made) }, 'a new master key was made; keep a copy of it on another machine');
  return made;
}

/** By which people tell keys apart. */
export function shortName(key: Secret<Uint8Array>): string {
  return keyName(createCrypt([key]).keyCheck);
}

/** The key that is there; undefined: its file has not been made yet. Makes nothing. */
export async function findMasterKey(source: Config['masterKey']): Promise<Secret<Uint8Array> | undefined> {
  return 'value' in source ? decodeVariable(source.value) : readKeyFile(source.file);
}

/** Throws what would keep the file from being made. Makes nothing. */
export async function tryKeyFile(path: string): Promise<void> {
  const tried = nearestExisting(dirname(path)).then((folder) =>
    access(folder, constants.W_OK | constants.X_OK),
  );
  await tried.catch(refuseToWrite(path));
}

export function missingMasterKey(path: string): AgentError {
  return new AgentError(
    'store.masterKey',
    `the master key file ${path} is missing, but the store was made with one`,
  );
}

async function readKeyFile(path: string): Promise<Secret<Uint8Array> | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new AgentError('store.masterKey', `others may read the master key file ${path}`, {
        advice: `Run chmod 600 ${path}.`,
      });
    return decode((await readFile(path, 'utf8')).trim(), `the master key file ${path}`);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'ENOENT') return undefined;
    throw new AgentError('config.unreadable', `the master key file ${path} cannot be read (${code})`, {
      cause,
    });
  }
}

async function makeKeyFile(path: string): Promise<Secret<Uint8Array>> {
  const key = randomBytes(32);
  const made = makeFolder(dirname(path), 0o700).then(() =>
    writeFile(path, `${key.toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true }),
  );
  await made.catch(refuseToWrite(path));
  return secret(key);
}

function refuseToWrite(path: string): (cause: unknown) => never {
  return (cause) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const message = `the master key file ${path} cannot be written (${code})`;
    throw new AgentError('config.unwritable', message, { cause });
  };
}

function decodeVariable(value: Secret<string>): Secret<Uint8Array> {
  return decode(value.reveal(), 'the master key in the environment');
}

function decode(text: string, where: string): Secret<Uint8Array> {
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (bytes.length === 32) return secret(bytes);
  throw new AgentError('store.masterKey', `${where} is not 32 bytes as hex or base64`, {
    advice:
      'Give the key that the store was made with; for a new store make one with: openssl rand -base64 32.',
  });
}
