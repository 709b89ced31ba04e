import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, toAgentError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { makeFolder } from '../folder.ts';
import type { RedisOptions } from './address.ts';
import { launchServer, type ServerFiles } from './launch.ts';
import { ownDataDir, refuseOwned } from './owner-lock.ts';
import { probeServer, shutDown, watchServer } from './probe.ts';
import { identify, isAlive, kill, type ProcessIdentity } from './process-identity.ts';
import { findServer } from './server-program.ts';

export interface EmbeddedOptions {
  readonly dataDir: string;
  /** Server program instead of the first on PATH. */
  readonly program?: string | undefined;
  /** Of this process: PATH is searched, and the little that a server needs is passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface EmbeddedServer {
  readonly redis: RedisOptions;
  /** Of the server that runs now. */
  pid(): number;
  /** Stops the server and gives the data directory free. Everything that uses the store must be closed before. */
  stop(): Promise<void>;
}

/** Addresses of unix sockets end at 103 bytes on some systems. */
const longestSocketPath = 100;
const firstPauseMs = 50;
const longestPauseMs = 30_000;
const stopMs = 8_000;
const pollMs = 20;

/**
 * Takes the data directory for this process and runs a Redis server in it, restarted whenever it dies. A server that
 * outlived a killed agent is taken over as it is. Throws `store.running`, `store.noServer`, `config.invalid` for a path
 * that is too long, or `store.unavailable` with what the server said.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const files = await prepareFiles(options.dataDir);
  const owner = await ownDataDir(options.dataDir);
  try {
    const keeper = createKeeper(files, options);
    await keeper.start();
    return {
      redis: { socketPath: files.socket },
      pid: keeper.pid,
      stop: async () => {
        await keeper.stop();
        await owner.release();
      },
    };
  } catch (error) {
    await owner.release();
    throw error;
  }
}

/** Throws what would keep `startEmbedded` from starting; makes nothing. */
export async function tryEmbedded({
  dataDir,
  program,
  environment,
}: Pick<EmbeddedOptions, 'dataDir' | 'program' | 'environment'>): Promise<void> {
  filesOf(dataDir);
  await refuseOwned(dataDir);
  await findServer(program, environment.PATH ?? '');
}

/**
 * Address of the server that a running agent has in its data directory; never starts one. Throws `store.notRunning`,
 * `store.unavailable` where this user may not know, or `config.invalid` for a path that is too long.
 */
export async function connectEmbedded(dataDir: string): Promise<RedisOptions> {
  const { socket } = filesOf(dataDir);
  if ((await probeServer(socket)) !== undefined) return { socketPath: socket };
  const refused = await access(socket, constants.W_OK).catch((error: NodeJS.ErrnoException) => error.code);
  if (refused === 'EACCES')
    throw new AgentError(
      'store.unavailable',
      `user ${process.geteuid?.()} may not look into the data directory ${dataDir}`,
      { advice: 'Run this command as the user of the agent, or as root.' },
    );
  throw new AgentError('store.notRunning', `no agent runs on the data directory ${dataDir}`);
}

function filesOf(dataDir: string): ServerFiles {
  const folder = join(dataDir, 'redis');
  const socket = join(folder, 'redis.sock');
  const length = Buffer.byteLength(socket);
  if (length > longestSocketPath)
    throw new AgentError(
      'config.invalid',
      `the socket path ${socket} has ${length} bytes, the system allows ${longestSocketPath}: choose a shorter dataDir or set redis.url`,
    );
  return {
    folder,
    socket,
    identity: join(folder, 'server.json'),
    log: join(folder, 'redis.log'),
  };
}

async function prepareFiles(dataDir: string): Promise<ServerFiles> {
  const files = filesOf(dataDir);
  try {
    await makeFolder(files.folder, 0o700);
  } catch (cause) {
    throw new AgentError('config.unwritable', `the folder ${files.folder} cannot be made`, { cause });
  }
  return files;
}

function createKeeper(files: ServerFiles, { program, environment, clock, log }: EmbeddedOptions) {
  let current: ProcessIdentity | undefined;
  let unwatch = () => {};
  const stopping = new AbortController();
  let mending: Promise<void> | undefined;

  async function start(): Promise<void> {
    current = (await adopt()) ?? (await launch());
    unwatch = watchServer(files.socket, () => {
      if (stopping.signal.aborted) return;
      mending ??= mend().finally(() => {
        mending = undefined;
      });
    });
  }

  /** A server on our socket that keeps its files in our folder is ours, whoever started it. */
  async function adopt(): Promise<ProcessIdentity | undefined> {
    const found = await awaitLoaded();
    if (found === undefined) return undefined;
    if (found.folder !== (await realpath(files.folder)))
      throw new AgentError('store.running', `another Redis, of ${found.folder}, listens on ${files.socket}`);
    const identity = await identify(found.pid);
    if (identity === undefined)
      throw new AgentError(
        'store.running',
        `a Redis of another container or machine listens on ${files.socket}`,
      );
    if (identity.pid !== current?.pid)
      log.info({ server: found.pid }, 'embedded Redis of an earlier agent taken over');
    return identity;
  }

  /** Loading a large file takes a while; a server that does so answers, and is waited for. */
  async function awaitLoaded() {
    for (;;) {
      const found = await probeServer(files.socket);
      if (found?.isLoading !== true) return found;
      await clock.sleep(pollMs);
    }
  }

  async function launch(): Promise<ProcessIdentity> {
    const path = await findServer(program, environment.PATH ?? '');
    const identity = await launchServer({ program: path, files, environment }, { clock, awaitLoaded });
    log.info({ server: identity.pid, program: path }, 'embedded Redis started');
    return identity;
  }

  async function mend(): Promise<void> {
    log.warn({ server: current?.pid }, 'embedded Redis is gone; starting it again');
    const goneAt = clock.now();
    for (let pause = firstPauseMs; !stopping.signal.aborted; pause = Math.min(2 * pause, longestPauseMs)) {
      try {
        await start();
        return;
      } catch (error) {
        const { code, message } = toAgentError(error);
        log.error({ code, reason: message, forMs: clock.now() - goneAt }, 'embedded Redis does not start');
      }
      await clock.sleep(pause, stopping.signal).catch(() => undefined);
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await mending;
    unwatch();
    if (current === undefined) return;
    await shutDown(files.socket);
    if (await gone(current)) return;
    kill(current);
    await gone(current);
  }

  async function gone(identity: ProcessIdentity): Promise<boolean> {
    for (const until = clock.now() + stopMs; clock.now() < until; await clock.sleep(pollMs))
      if (!(await isAlive(identity))) return true;
    return false;
  }

  return { start, stop, pid: () => current?.pid ?? 0 };
}
