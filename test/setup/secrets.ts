import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { AgentError } from '../../src/core/errors.ts';
import '../support/record-children.ts';
import { startProcess } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { type RunPart, runFolder, runPart } from '../support/run-folder.ts';
import { createSecretSearch, type Encoding } from '../support/secret-search.ts';
import { recordErrors, writeErrors } from './errors.ts';
import { writeUnseen } from './terminal.ts';

const encodings: readonly Encoding[] = ['raw', 'hex', 'base64', 'base64url'];

/** Of the folders of servers and agents, what nobody may find a secret in; their key files hold theirs rightly. */
const searchedInDirs = /\/(appendonlydir|\.reloads)\/|\.(aof|rdb|log)$/;

/** Of these, all. */
const searchedParts = ['output', 'terminal', 'processes', 'children', 'errors'] as const;

interface Finding {
  readonly secret: number;
  readonly encoding: Encoding;
  readonly file: string;
}

/**
 * Throws when a secret of this run stands in any output, log, error, process argument or Redis of it, on its terminal,
 * or in what a reload said. Before, it puts a secret into each of these places but the last, in each encoding, and
 * throws when it does not find all of them.
 */
export async function searchForSecrets(): Promise<void> {
  const secrets = readSecrets();
  const planted = await plant();
  const found = search([...secrets.map(({ bytes }) => bytes), planted.secret]);
  const proof = new Set(found.filter(({ secret }) => secret === secrets.length).map(placeAndEncoding));
  const blind = planted.places.flatMap((place) =>
    encodings.map((encoding) => `${place} ${encoding}`).filter((one) => !proof.has(one)),
  );
  if (blind.length > 0) throw new Error(`the search for secrets is blind for: ${blind.join(', ')}`);
  const leaks = found.filter(({ secret }) => secret < secrets.length);
  if (leaks.length > 0)
    throw new Error(`secrets were found where none may be:\n${describe(leaks, secrets).join('\n')}`);
}

interface KnownSecret {
  readonly bytes: Buffer;
  /** Who made it. */
  readonly origin: string;
}

function readSecrets(): KnownSecret[] {
  const folder = runPart('secrets');
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
  const byValue = new Map<string, string>();
  for (const line of lines.filter((text) => text !== '')) {
    const [value = '', ...origin] = line.split(' ');
    if (!byValue.has(value)) byValue.set(value, origin.join(' '));
  }
  return [...byValue].map(([value, origin]) => ({ bytes: Buffer.from(value, 'base64'), origin }));
}

async function plant(): Promise<{ secret: Buffer; places: readonly string[] }> {
  const secret = Buffer.from(randomBytes(24).toString('base64url'));
  const texts = [secret.toString(), ...encodings.slice(1).map((encoding) => encode(secret, encoding))];
  const talker = await startProcess({ name: 'planted', command: ['sh', '-c', 'echo "$@"', 'sh', ...texts] });
  await talker.exited;
  writeUnseen(texts);

  const redis = await startRedis();
  for (const text of texts) {
    await redis.cli('SET', `planted:${text.length}`, text);
    await redis.cli('XADD', 'planted:events', '*', 'text', text);
  }
  await redis.stop();

  recordErrors();
  for (const text of texts) new AgentError('bug', 'planted', { facts: { text } });
  writeErrors();
  return { secret, places: [...searchedParts, 'dirs'] };
}

function encode(secret: Buffer, encoding: Encoding): string {
  return encoding === 'raw' ? secret.toString() : secret.toString(encoding);
}

function search(secrets: readonly Buffer[]): Finding[] {
  const find = createSecretSearch(secrets);
  return searchedFiles().flatMap((file) =>
    find(readFileSync(file)).map(({ secret, encoding }) => ({ secret, encoding, file })),
  );
}

function searchedFiles(): string[] {
  const all = (part: RunPart) =>
    readdirSync(runPart(part), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  return [...searchedParts.flatMap(all), ...all('dirs').filter((file) => searchedInDirs.test(file))];
}

function placeAndEncoding({ file, encoding }: Finding): string {
  return `${relative(runFolder(), file).split('/')[0]} ${encoding}`;
}

/** Where, in which encoding, who made it, and what stands around it; not the secret. */
function describe(findings: readonly Finding[], secrets: readonly KnownSecret[]): string[] {
  const lines = findings.map(({ secret, encoding, file }) => {
    const { bytes = Buffer.alloc(0), origin } = secrets[secret] ?? {};
    const place = relative(runFolder(), file);
    return `${place}: in ${encoding}, the secret made by ${origin}: ${around(encode(bytes, encoding), file)}`;
  });
  return [...new Set(lines)].slice(0, 30);
}

/** Of a part of longer base64 its own encoding does not stand there. */
function around(words: string, file: string): string {
  const [before = '', after] = readFileSync(file, 'utf8').split(words);
  if (after === undefined) return 'within other text';
  return JSON.stringify(`${before.slice(-300)}[secret]${after.slice(0, 100)}`);
}
