import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildResult } from '../src/core/child.ts';
import { mask } from '../src/core/mask.ts';
import type { PluginContext } from '../src/plugin/context.ts';
import { scriptPath } from './acmesh-info.ts';
import type { AcmeshOptions } from './acmesh-options.ts';

/** Contents by key. */
export interface Saved {
  readonly account: Readonly<Record<string, string>>;
  /** Of one name. */
  readonly domain: Readonly<Record<string, string>>;
}

export interface ShimCall {
  readonly verb: 'add' | 'rm' | 'check';
  readonly name?: string | undefined;
  readonly value?: string | undefined;
  readonly saved?: Saved | undefined;
}

export interface ShimResult extends ChildResult {
  /** undefined: it was killed before it could tell, or there is more than fits. */
  readonly saved: Saved | undefined;
  /** Of the last HTTP response; undefined: no request, 0: no response. */
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** What the script said, secrets masked. */
  readonly said: readonly SaidLine[];
}

export interface SaidLine {
  readonly isError: boolean;
  readonly text: string;
}

/** Beside this file, or, when it runs from `dist`, beside its source. */
const shim = fileURLToPath(firstThere('acmesh/shim.sh', '../../providers/acmesh/shim.sh'));

function firstThere(...paths: readonly [string, ...string[]]): URL {
  const urls = paths.map((path) => new URL(path, import.meta.url));
  return urls.find((url) => existsSync(url)) ?? new URL(paths[0], import.meta.url);
}

/** What a child's output is cut to; its first line may then be half a line. */
const outputLimit = 64 * 1024;
/** A shorter value is no secret: masking "60" would only make messages unreadable. */
const minSecretLength = 4;

/** Runs the script once: see `acmesh/shim.sh` for what goes in and comes out. */
export async function runShim(
  call: ShimCall,
  { config, run }: { readonly config: AcmeshOptions; readonly run: PluginContext['run'] },
  signal: AbortSignal,
): Promise<ShimResult> {
  const { verb, name = '', value = '', saved = { account: {}, domain: {} } } = call;
  const script = scriptPath(config);
  // Masked below, not by `run`: a value such as "60" would be found in what is saved, too.
  const result = await run({
    command: [...asUser(config.runAs), '/bin/sh', shim, verb, script, ...(verb === 'check' ? [] : [name])],
    env: environmentOf(config),
    input: `${value}\n${linesOf(saved)}`,
    timeoutMs: config.timeoutSeconds * 1000,
    signal,
  });
  const report = parseReport(result.stdout);
  const known = [...Object.values(environmentOf(config)), ...contentsOf(saved), ...contentsOf(report?.saved)];
  return {
    ...result,
    saved: report?.saved,
    status: report?.status,
    retryAfterSeconds: report?.retryAfterSeconds,
    said: saidLines(result.stderr, known),
  };
}

function asUser(runAs: string | undefined): readonly string[] {
  if (runAs === undefined) return [];
  const [user = '', group = ''] = runAs.split(':');
  return ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--no-new-privs'];
}

function environmentOf({ env, variables }: AcmeshOptions): Readonly<Record<string, string>> {
  const all = { ...env, ...variables };
  return Object.fromEntries(Object.entries(all).map(([name, text]) => [name, text.reveal()]));
}

function linesOf(saved: Saved): string {
  const lines = (scope: keyof Saved) =>
    Object.entries(saved[scope]).map(([key, text]) => `${scope} ${key} ${escaped(text)}\n`);
  return [...lines('account'), ...lines('domain')].join('');
}

type Report = Pick<ShimResult, 'status' | 'retryAfterSeconds'> & { readonly saved: Saved };

function parseReport(stdout: string): Report | undefined {
  const lines = stdout.split('\n');
  if (lines[0] !== 'begin' || !lines.includes('end')) return undefined;
  const words = lines.map((line) => line.split(' '));
  const scope = (wanted: string) =>
    Object.fromEntries(
      words.flatMap(([word, key, text = '']) =>
        word === wanted && key !== undefined ? [[key, decodeURIComponent(text)]] : [],
      ),
    );
  const [, status, after] = words.find(([word]) => word === 'status') ?? [];
  return {
    saved: { account: scope('account'), domain: scope('domain') },
    status: wholeNumber(status),
    retryAfterSeconds: wholeNumber(after),
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** On one line without blanks, as the shim has it. */
function escaped(text: string): string {
  return text.replace(/[% \t\r\n]/g, encodeURIComponent);
}

function contentsOf(saved: Saved | undefined): readonly string[] {
  return [...Object.values(saved?.account ?? {}), ...Object.values(saved?.domain ?? {})];
}

function saidLines(stderr: string, known: readonly string[]): readonly SaidLine[] {
  const secrets = known.filter((text) => text.length >= minSecretLength).flatMap(formsOf);
  // Masked as one text: a key of several lines is one secret.
  const whole = stderr.length < outputLimit ? stderr : stderr.slice(stderr.indexOf('\n') + 1);
  return mask(whole, secrets)
    .split('\n')
    .map((line) => /^(?:<(\d)>)?(.*)$/.exec(line))
    .map((found) => ({ isError: found?.[1] === '3', text: (found?.[2] ?? '').trim() }))
    .filter(({ text }) => text !== '');
}

/** As it stands in headers, queries and digests. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(secret),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    // Lines of a text have their levels between them.
    ...secret.split('\n').filter((line) => secret.includes('\n') && line.length >= minSecretLength),
  ];
}

export function scriptName(config: AcmeshOptions): string {
  return basename(scriptPath(config));
}
