import { setMaxListeners } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunChild } from '../../src/child.ts';
import { systemClock } from '../../src/clock.ts';
import type { RunChild } from '../../src/core/child.ts';
import type { Clock, Deployer, DeployRequest, Log } from '../../src/core/ports.ts';
import type { Bundle, Certificate, KeyType, LineageSource } from '../../src/core/types.ts';
import { type FilesOptions, files } from '../../src/deploy/files.ts';
import type { PluginContext } from '../../src/plugin/context.ts';
import { createPki } from '../../src/x509/index.ts';

const pki = createPki();
const dayMs = 86_400_000;

export const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

/** A certificate for the names with its key; `chain` adds that many (unrelated) certificates behind it. */
export async function makeBundle(
  names: readonly string[],
  made: {
    readonly chain?: number;
    readonly keyType?: KeyType;
    readonly source?: LineageSource;
    readonly generation?: number;
  } = {},
): Promise<Bundle> {
  const { chain = 1, keyType = 'p256', source = 'acme', generation = 1 } = made;
  const now = Date.now();
  const validity = { notBefore: now - dayMs, notAfter: now + 90 * dayMs };
  const privateKey = await pki.generateKey(keyType);
  const { leafDer, chainDer: _none, ...facts } = pki.selfSigned(names, privateKey, validity);
  const issuers = await Promise.all(
    Array.from({ length: chain }, async (_, at) => {
      const key = await pki.generateKey('p256');
      return pki.selfSigned([`issuer-${at}.example.net`], key, validity).leafDer;
    }),
  );
  const certificate: Certificate = {
    ...facts,
    lineage: `example.com/${names[0]}/ec`,
    generation,
    source,
    issuedAt: now,
    wanted: { names, keyType, issuers: ['test'], challenge: 'http-01' },
  };
  return { certificate, leafDer, chainDer: issuers, privateKey };
}

/** Where a test puts its certificate that has only one. */
export const slot = slotOf('www.example.com');

export const nobody = 65534;
export const isRoot = process.geteuid?.() === 0;

/** Never aborted, for any number of listeners. */
export const signal: AbortSignal = new AbortController().signal;
setMaxListeners(0, signal);

export function linkOf(path: string, name = 'www.example.com'): string {
  return join(path, 'example.com', name);
}

export function storeOf(path: string, name = 'www.example.com'): string {
  return join(path, 'example.com', '.generations', name);
}

/** For a target that must show a certificate at once: the fingerprint that it shows. */
export async function deployNow(
  deployer: Deployer,
  request: DeployRequest,
  abort: AbortSignal = signal,
): Promise<string> {
  const result = await deployer.deploy(request, abort);
  if ('again' in result) throw new Error('the target does not show the certificate yet');
  return result.observed;
}

/** As a user with no special rights, in a folder of that user: the one who runs the tests, or another if that is root. */
export async function asOrdinaryUser(work: (folder: string) => Promise<void>): Promise<void> {
  // Only the owner may enter the folder of the run.
  const folder = mkdtempSync(join(isRoot ? '/tmp' : tmpdir(), 'acme-agent-files-'));
  if (isRoot) chownSync(folder, nobody, nobody);
  if (isRoot) process.seteuid?.(nobody);
  try {
    await work(folder);
  } finally {
    if (isRoot) process.seteuid?.(0);
    rmSync(folder, { recursive: true });
  }
}

export function slotOf(label: string, keyClass: 'ec' | 'rsa' = 'ec'): DeployRequest['slot'] {
  return { lineage: `example.com/${label}/${keyClass}`, domain: 'example.com', label, keyClass };
}

/** A clock that stands still until `advance`; timers fire in their order. */
export function createManualClock(startAt = Date.now()): Clock & {
  advance(ms: number): void;
  readonly pending: number;
} {
  let at = startAt;
  let timers: readonly { readonly at: number; readonly run: () => void }[] = [];

  return {
    now: () => at,
    sleep: () => Promise.reject(new Error('not used here')),
    after: (ms, run) => {
      const timer = { at: at + ms, run };
      timers = [...timers, timer];
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance: (ms) => {
      at += ms;
      const due = timers.filter((timer) => timer.at <= at).toSorted((a, b) => a.at - b.at);
      timers = timers.filter((timer) => !due.includes(timer));
      for (const timer of due) timer.run();
    },
    get pending() {
      return timers.length;
    },
  };
}

/** A `files` target as the configuration would make it. */
export async function createFilesTarget(
  given: Partial<Record<keyof FilesOptions, unknown>> & { readonly path: string },
  needs: { readonly clock?: Clock; readonly run?: RunChild; readonly log?: Log } = {},
): Promise<Deployer> {
  const context: PluginContext = {
    name: 'edge',
    run: needs.run ?? runProgram,
    clock: needs.clock ?? createManualClock(),
    log: needs.log ?? quiet,
    http: { request: unused, requestUntrusted: unused },
    state: { get: unused, set: unused },
    resolver: { addresses: unused, txt: unused },
  };
  return files.create(files.options.parse(given), context);
}

/** Programs for real, as the agent runs them. */
export const runProgram: RunChild = createRunChild({
  clock: systemClock,
  log: quiet,
  path: process.env.PATH ?? '',
  home: tmpdir(),
  tmpdir: tmpdir(),
});

function unused(): Promise<never> {
  return Promise.reject(new Error('the files target does not use this'));
}
