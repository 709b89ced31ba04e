import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, isAgentError, toAgentError } from '../core/errors.ts';
import type { Found, FoundAccount, FoundCertificate, Server, Unreadable } from './found.ts';

/** Reads one thing at `at`; undefined: there is none. */
export type ReadOne<T> = (at: string) => Promise<T | undefined>;

/** The accounts, then the certificates. One that cannot be read is told, and does not keep the others from being read. */
export async function readAll(
  accounts: { readonly at: readonly string[]; readonly read: ReadOne<FoundAccount> },
  certificates: {
    readonly at: readonly string[];
    readonly read: (at: string, accounts: readonly FoundAccount[]) => Promise<FoundCertificate | undefined>;
  },
): Promise<Found> {
  const unreadable: Unreadable[] = [];
  async function each<T>(
    what: Unreadable['what'],
    places: readonly string[],
    read: ReadOne<T>,
  ): Promise<T[]> {
    const found: T[] = [];
    for (const at of places) {
      try {
        const one = await read(at);
        if (one !== undefined) found.push(one);
      } catch (error) {
        unreadable.push({ what, at, reason: reasonOf(error) });
      }
    }
    return found;
  }
  const found = await each('account', accounts.at, accounts.read);
  return {
    accounts: found,
    certificates: await each('certificate', certificates.at, (at) => certificates.read(at, found)),
    unreadable,
  };
}

/** Names in a folder, sorted; none if there is no such folder. Throws `config.unreadable` where this user may not look into it. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).then(
    (names) => names.sort(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      if (error.code === 'EACCES') throw closed(folder);
      throw error;
    },
  );
}

/** As `namesIn`; undefined: this user may not look into it. */
export async function namesIfOpen(folder: string): Promise<readonly string[] | undefined> {
  return namesIn(folder).catch((error: unknown) => {
    if (isAgentError(error, 'config.unreadable')) return undefined;
    throw error;
  });
}

function closed(folder: string): AgentError {
  return new AgentError('config.unreadable', notAllowed(folder), {
    advice:
      'Run the import as a user who may, which is mostly root, or as the user of the agent on a copy that it may read.',
  });
}

function notAllowed(path: string): string {
  return `${path} may not be read by this user`;
}

/**
 * All folders below, at any depth, that hold a file of this name; symbolic links are followed. One of them that this user
 * may not look into counts too: whoever reads it tells so.
 */
export async function foldersWith(file: string, folder: string, depth = 6): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (name === file) found.push(folder);
    else if (depth > 0 && (await isFolder(path))) found.push(...(await foldersBelow(file, path, depth - 1)));
  }
  return found;
}

async function foldersBelow(file: string, path: string, depth: number): Promise<readonly string[]> {
  return (await namesIfOpen(path)) === undefined ? [path] : foldersWith(file, path, depth);
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

export function readText(path: string): Promise<string> {
  return readFile(path, 'utf8');
}

/** undefined: there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return readText(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

type Json = Readonly<Record<string, unknown>>;

/** A member of a JSON document, or what is in it. */
export function memberOf(value: unknown, ...path: readonly string[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  return value instanceof Object && first in value ? memberOf((value as Json)[first], ...rest) : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function mailUrls(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  return texts.map((one) => (one.startsWith('mailto:') ? one : `mailto:${one}`));
}

/** By the whole directory URL. */
export function serverAt(directoryUrl: string): Server {
  return { name: directoryUrl, isAt: (other) => plain(other) === plain(directoryUrl) };
}

function plain(url: string): string {
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, '') : url;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const path = error instanceof Error && 'path' in error ? String(error.path) : '';
  if (code === 'ENOENT') return `there is no ${path}`;
  if (code === 'EACCES') return notAllowed(path);
  if (error instanceof SyntaxError) return 'it is not valid JSON';
  return toAgentError(error).message;
}
