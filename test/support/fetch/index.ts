import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { projectRoot } from '../root.ts';
import { archiveUnreachable, noVerifier, privatePackages } from './apt.ts';
import { withLock } from './lock.ts';
import { findOnPath, isProgram } from './path.ts';
import { type Recipe, recipes } from './recipes.ts';
import { run } from './run.ts';

export type ServerProgram =
  | 'redis-server'
  | 'valkey-server'
  | 'pebble'
  | 'pebble-challtestsrv'
  | 'named'
  | 'nsupdate'
  | 'knotd'
  | 'pdns_server'
  | 'pdnsutil'
  | 'sqlite3'
  | 'nginx'
  | 'haproxy'
  | 'lego';

/** What a fetch found, in `.cache/servers/manifest.json`. */
interface Manifest {
  /** `stamp` tells whether the file is still the one that passed its probe. */
  readonly programs: Readonly<Record<string, { readonly path: string; readonly stamp: string }>>;
  /** Why a program is not there, in words. */
  readonly missing: Readonly<Record<string, string>>;
}

/** Why nothing at all can be fetched, and what helps. */
const hopeless: Readonly<Record<string, string>> = {
  [archiveUnreachable]: 'connect this machine to its package archive',
  [noVerifier]: 'install the package gpgv ("apt-get install gpgv")',
};

type Found = Record<string, { path: string; stamp: string }>;

const folder = join(projectRoot, '.cache', 'servers');
/** Package lists and archives: large, and of no use once the servers are unpacked. */
const aptFolder = join(folder, 'apt');
const manifestFile = join(folder, 'manifest.json');

/** Start scripts of the servers that were fetched; for the PATH of programs that look there. */
export const serverBin = join(folder, 'bin');

/** A server that somebody else runs. */
const urlVariables: Readonly<Partial<Record<Recipe['name'], string>>> = {
  redis: 'ACME_AGENT_TEST_REDIS_URL',
  pebble: 'ACME_AGENT_TEST_PEBBLE_URL',
};

export interface FetchOptions {
  readonly wanted?: readonly Recipe['name'][] | undefined;
  /** A running one named in the environment will do: the caller starts, stops and breaks none. */
  readonly orAtUrl?: boolean | undefined;
}

/**
 * Makes sure that the servers of the tests and the demo can be started: on PATH and good enough, else installed (root,
 * where the system has a good one), else unpacked below `.cache`, which needs no rights. Safe to run at any time and
 * twice at once. Rejects when one is missing that is not optional.
 */
export async function fetchServers(
  say: (line: string) => void,
  {
    wanted = ['redis', 'pebble', 'bind', 'nsupdate', 'powerdns', 'knot', 'valkey', 'nginx', 'haproxy'],
    orAtUrl = false,
  }: FetchOptions = {},
): Promise<void> {
  await withLock(join(folder, 'lock'), say, async () => {
    const known = readManifest();
    const found: Found = { ...known.programs };
    const missing: Record<string, string> = { ...known.missing };
    const failures: string[] = [];
    for (const recipe of recipes.filter(({ name }) => wanted.includes(name))) {
      const names = Object.keys(recipe.programs);
      for (const name of names) delete missing[name];
      const variable = orAtUrl ? urlVariables[recipe.name] : undefined;
      if (variable !== undefined && process.env[variable] !== undefined) {
        say(`${recipe.name}: the one at $${variable}`);
        continue;
      }
      const reason = await provide(recipe, found, say);
      const url = variable === undefined ? '' : `, or set ${variable} to the URL of a running one`;
      const failure = reason === undefined ? undefined : `${reason}${url}.`;
      if (failure === undefined) continue;
      for (const name of names) {
        delete found[name];
        missing[name] = failure;
      }
      if (recipe.optional) say(`${recipe.name} cannot be had, its tests are skipped: ${failure}`);
      else failures.push(failure);
    }
    rmSync(aptFolder, { recursive: true, force: true });
    const fresh = `${manifestFile}.new`;
    writeFileSync(fresh, JSON.stringify({ programs: found, missing }, undefined, 2));
    renameSync(fresh, manifestFile);
    if (failures.length > 0) throw new Error(failures.join('\n'));
  });
}

/** Whether a server can be started here; with `describe.skipIf(!hasServer('named'))` a test names what it lacks. */
export function hasServer(program: ServerProgram): boolean {
  return path(program) !== undefined;
}

/** Absolute path of a server's program; throws with the remedy when there is none. */
export function serverProgram(program: ServerProgram): string {
  const found = path(program);
  if (found !== undefined) return found;
  throw new Error(readManifest().missing[program] ?? `${program} was not fetched yet; run "npm test" once`);
}

/** PATH with the fetched servers in front. */
export function pathWithServers(): string {
  return [serverBin, process.env.PATH ?? ''].join(delimiter);
}

function path(program: string): string | undefined {
  const entry = readManifest().programs[program];
  return entry !== undefined && isProgram(entry.path) ? entry.path : undefined;
}

function readManifest(): Manifest {
  try {
    return JSON.parse(readFileSync(manifestFile, 'utf8'));
  } catch {
    return { programs: {}, missing: {} };
  }
}

/** Fills `found`; resolves with the reason and the remedy when the server cannot be had. */
async function provide(
  recipe: Recipe,
  found: Found,
  say: (line: string) => void,
): Promise<string | undefined> {
  const reasons: string[] = [];
  if (await accept(recipe, findOnPath, found, reasons)) return undefined;
  if (await accept(recipe, inBin, found, reasons)) return undefined;
  if (recipe.systemInstall && process.getuid?.() === 0 && findOnPath('apt-get') !== undefined) {
    say(`${recipe.name}: installing ${recipe.packages.join(', ')} with apt-get`);
    await installAsRoot(recipe.packages).catch((error: unknown) => reasons.push(words(error)));
    if (await accept(recipe, findOnPath, found, reasons)) return undefined;
  }
  if (await unpackPrivately({ recipe, found, reasons, say })) return undefined;
  const first = Object.keys(hopeless).find((reason) => reasons.includes(reason));
  const before = first === undefined ? '' : `${hopeless[first]}, or `;
  return `${recipe.name}: none that can be used (${[...new Set(reasons)].join('; ')}). Remedy: ${before}${recipe.remedy}`;
}

/** True when every program of the recipe was found by `find` and passed its probe. */
async function accept(
  recipe: Recipe,
  find: (program: string) => string | undefined,
  found: Found,
  reasons: string[],
): Promise<boolean> {
  for (const [name, probe] of Object.entries(recipe.programs)) {
    const candidate = find(name);
    if (candidate === undefined) return false;
    const stamp = stampOf(candidate);
    if (found[name]?.path === candidate && found[name]?.stamp === stamp) continue;
    const verdict = await probe(candidate).catch(words);
    if (verdict !== undefined) {
      reasons.push(`${candidate}: ${verdict}`);
      return false;
    }
    found[name] = { path: candidate, stamp };
  }
  return true;
}

function inBin(program: string): string | undefined {
  const file = join(serverBin, program);
  return isProgram(file) ? file : undefined;
}

function stampOf(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${size}-${Math.trunc(mtimeMs)}`;
}

async function installAsRoot(packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run(['apt-get', 'update'], { env });
  await run(['apt-get', 'install', '-y', '--no-install-recommends', ...packages], { env });
}

interface Attempt {
  readonly recipe: Recipe;
  readonly found: Found;
  readonly reasons: string[];
  readonly say: (line: string) => void;
}

async function unpackPrivately({ recipe, found, reasons, say }: Attempt): Promise<boolean> {
  const packages = privatePackages(aptFolder);
  if (packages === undefined) {
    reasons.push('this system has no apt, so nothing can be fetched');
    return false;
  }
  const target = join(folder, recipe.name);
  for (const suite of recipe.suites(packages)) {
    say(
      `${recipe.name}: fetching ${recipe.packages.join(', ')} (${suite ?? 'own suite'}) into .cache/servers`,
    );
    try {
      await packages.unpack(recipe.packages, suite, target);
      for (const program of Object.keys(recipe.programs)) writeStartScript(program, target);
    } catch (error) {
      if (words(error) in hopeless) {
        reasons.push(words(error));
        return false;
      }
      reasons.push(`${suite ?? 'own suite'}: ${words(error)}`);
      continue;
    }
    if (await accept(recipe, inBin, found, reasons)) return true;
  }
  return false;
}

/** A script, not a link: the libraries unpacked beside the program must be found, by it alone. */
function writeStartScript(program: string, root: string): void {
  const file = ['usr/bin', 'usr/sbin', 'bin', 'sbin']
    .map((part) => join(root, part, program))
    .find((candidate) => existsSync(candidate));
  if (file === undefined) throw new Error(`the packages hold no ${program}`);
  mkdirSync(serverBin, { recursive: true });
  const fromBin = (target: string) => `$here/${relative(serverBin, target)}`;
  const libraries = libraryFolders(root).map(fromBin).join(':');
  const script = join(serverBin, program);
  writeFileSync(
    script,
    [
      '#!/bin/sh',
      `here=\${0%/*}`,
      `export LD_LIBRARY_PATH="${libraries}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
      `exec "${fromBin(file)}" "$@"`,
      '',
    ].join('\n'),
  );
  chmodSync(script, 0o755);
}

function libraryFolders(root: string): string[] {
  const folders = new Set<string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isDirectory() && /\.so(\.|$)/.test(entry.name)) folders.add(entry.parentPath);
  }
  return [...folders].sort((a, b) => a.length - b.length);
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
