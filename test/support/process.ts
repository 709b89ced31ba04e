import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { descendants, readProcess } from './proc.ts';
import { runPart } from './run-folder.ts';

export interface ServerSpec {
  /** For messages and file names. */
  readonly name: string;
  readonly command: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** When it serves: a loopback port or a socket path accepts, or the probe says so. Absent: at once. */
  readonly ready?:
    | { readonly port: number }
    | { readonly socket: string }
    | (() => Promise<boolean>)
    | undefined;
  /** Default 20 s. */
  readonly timeoutMs?: number | undefined;
}

export interface Exit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  /** All that it wrote to standard output and error so far. */
  output(): string;
  readonly exited: Promise<Exit>;
  /** Sends the signal and waits for the end; resolves at once when it has ended. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** SIGTERM, and SIGKILL when that has not ended it after `graceMs` (default 5 s). */
  stop(graceMs?: number): Promise<Exit>;
}

const pollMs = 15;
const alive = new Set<ChildProcess>();
let runs = 0;
let watching = false;

/** Starts a program and waits until it serves. If it ends first or takes too long, the error shows its output. */
export async function startProcess(spec: ServerSpec): Promise<ServerProcess> {
  killAllAtExit();
  const id = `${spec.name}-${process.pid}-${++runs}`;
  const outputFile = join(runPart('output'), `${id}.log`);
  const child = spawnInto(spec, outputFile);
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => {
      writeFileSync(outputFile, String(error), { flag: 'a' });
      alive.delete(child);
      resolve({ code: undefined, signal: undefined });
    });
    child.once('exit', (code, signal) => {
      alive.delete(child);
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
  });
  record(id, child.pid ?? 0, spec.command);

  const server: ServerProcess = {
    pid: child.pid ?? 0,
    output: () => readFileSync(outputFile, 'utf8'),
    exited,
    kill: (signal) => {
      if (alive.has(child)) child.kill(signal);
      return exited;
    },
    stop: async (graceMs = 5_000) => {
      recordChildren(id, child.pid ?? 0);
      if (alive.has(child)) child.kill('SIGTERM');
      const timer = setTimeout(() => alive.has(child) && child.kill('SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
  await untilReady(spec, server);
  return server;
}

/** Polls until `probe` is true; an error thrown by it counts as "not yet". */
export async function until(
  what: string,
  probe: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (
      await Promise.resolve()
        .then(probe)
        .catch(() => false)
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`${what}: not so after ${timeoutMs} ms`);
}

function spawnInto(spec: ServerSpec, outputFile: string): ChildProcess {
  const [program, ...args] = spec.command;
  if (program === undefined) throw new Error(`${spec.name}: empty command`);
  // A file and not a pipe: nothing is lost when this process dies, and nobody blocks on a full pipe.
  const output = openSync(outputFile, 'a', 0o600);
  try {
    const child = spawn(program, args, {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      stdio: ['ignore', output, output],
    });
    alive.add(child);
    return child;
  } finally {
    closeSync(output);
  }
}

async function untilReady(spec: ServerSpec, server: ServerProcess): Promise<void> {
  const { ready } = spec;
  if (ready === undefined) return;
  const probe = typeof ready === 'function' ? ready : () => accepts(ready);
  let exit: Exit | undefined;
  server.exited.then((seen) => {
    exit = seen;
  });
  try {
    await until(`${spec.name} starts`, async () => exit !== undefined || (await probe()), spec.timeoutMs);
    if (exit === undefined) return;
    throw new Error(`${spec.name} ended before it served (exit code ${exit.code}, signal ${exit.signal})`);
  } catch (error) {
    await server.stop(1_000);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\n${spec.command.join(' ')}\n${server.output().slice(-4_000)}`);
  }
}

export function accepts(address: { readonly port: number } | { readonly socket: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket =
      'port' in address
        ? connect({ port: address.port, host: '127.0.0.1' })
        : connect({ path: address.socket });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** For the global teardown: arguments are searched for secrets, and what a killed test process left is ended. */
function record(id: string, pid: number, command: readonly string[]): void {
  const file = join(runPart('processes'), `${id}.json`);
  writeFileSync(file, JSON.stringify({ pid, startedAt: readProcess(pid)?.startedAt, command }), {
    mode: 0o600,
  });
}

function recordChildren(id: string, pid: number): void {
  const commands = descendants(pid).map((child) => child.command);
  if (commands.length === 0) return;
  const file = join(runPart('processes'), `${id}-children.json`);
  writeFileSync(file, JSON.stringify({ pid: 0, command: commands }), { mode: 0o600 });
}

function killAllAtExit(): void {
  if (watching) return;
  watching = true;
  const killAll = () => {
    for (const child of alive) child.kill('SIGKILL');
  };
  process.on('exit', killAll);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll();
      // With our listener the default is off; who else listens decides alone.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}
