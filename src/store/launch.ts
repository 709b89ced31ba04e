import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { FoundServer } from './probe.ts';
import { identify, isAlive, kill, type ProcessIdentity } from './process-identity.ts';

export interface ServerFiles {
  readonly folder: string;
  readonly socket: string;
  /** Process that was started last. */
  readonly identity: string;
  readonly log: string;
}

export interface Launch {
  readonly program: string;
  readonly files: ServerFiles;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface LaunchNeeds {
  readonly clock: Clock;
  /** Who answers on the socket, once it has loaded its data. */
  readonly awaitLoaded: () => Promise<FoundServer | undefined>;
}

/** What a server may need of our environment; the rest may be secret. */
const passedOn = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH'];
const startMs = 20_000;
/** A server that has just been started opens its socket sooner than this. */
const patienceMs = 4_000;
const pollMs = 20;

/**
 * Starts a server that outlives this process, and waits until it serves. It is in a session of its own: a signal to our
 * terminal must not end it before the agent has. Throws `store.unavailable` with the last lines it wrote.
 */
export async function launchServer(launch: Launch, needs: LaunchNeeds): Promise<ProcessIdentity> {
  const { files } = launch;
  const former = await endFormer(files, needs);
  if (former !== undefined) return former;
  await rm(files.socket, { force: true });
  await rename(files.log, `${files.log}.old`).catch(() => undefined);
  const child = spawnServer(launch);
  const failure = failureOf(child);
  const identity = child.pid === undefined ? undefined : await identify(child.pid);
  if (identity !== undefined) await writeFile(files.identity, JSON.stringify(identity), { mode: 0o600 });
  const until = needs.clock.now() + startMs;
  while (failure.reason() === undefined && needs.clock.now() < until) {
    const found = await needs.awaitLoaded();
    if (found !== undefined && identity !== undefined) return identity;
    await needs.clock.sleep(pollMs);
  }
  child.kill('SIGKILL');
  const lines = (await readFile(files.log, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join(' | ');
  const reason = failure.reason() ?? `did not serve within ${startMs} ms`;
  throw new AgentError('store.unavailable', `${launch.program} in ${files.folder} ${reason}: ${lines}`);
}

/**
 * Two servers on the same files would destroy them: one that was started here and does not answer has to go first. If
 * it was only slow to start, it is the one to use.
 */
async function endFormer(
  files: ServerFiles,
  { clock, awaitLoaded }: LaunchNeeds,
): Promise<ProcessIdentity | undefined> {
  const former = await readIdentity(files.identity);
  if (former === undefined || !(await isAlive(former))) return undefined;
  for (const until = clock.now() + startMs; clock.now() < until; await clock.sleep(pollMs)) {
    if ((await awaitLoaded()) !== undefined) return former;
    if (!(await isAlive(former))) return undefined;
    // It syncs each write before it answers, so nothing is lost with it.
    if (clock.now() > until - startMs + patienceMs) kill(former);
  }
  throw new AgentError(
    'store.unavailable',
    `the Redis server of this data directory (process ${former.pid}) runs but does not answer on ${files.socket}`,
  );
}

async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function spawnServer({ program, files, environment }: Launch): ChildProcess {
  const output = openSync(files.log, 'w', 0o600);
  const settings = {
    port: '0',
    unixsocket: files.socket,
    unixsocketperm: '700',
    dir: files.folder,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    loglevel: 'warning',
  };
  try {
    const child = spawn(
      program,
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      {
        cwd: files.folder,
        detached: true,
        stdio: ['ignore', output, output],
        env: Object.fromEntries(
          passedOn.flatMap((name) => {
            const value = environment[name];
            return value === undefined ? [] : [[name, value]];
          }),
        ),
      },
    );
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

function failureOf(child: ChildProcess): { reason(): string | undefined } {
  let reason: string | undefined;
  child.once('error', (error) => {
    reason = `cannot be started (${error.message})`;
  });
  child.once('exit', (code, signal) => {
    reason ??= `ended with ${code === null ? signal : `exit code ${code}`}`;
  });
  return { reason: () => reason };
}
