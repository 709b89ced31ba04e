import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { atEnd } from './at-end.ts';
import { descendants } from './proc.ts';
import { runPart } from './run-folder.ts';

export interface ServerSpec {
  /** For messages and file names. */
  readonly name: string;
  readonly command: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** Its standard input; absent: nothing. */
  readonly input?: string | undefined;
  /** Writes to this terminal, and not into `output()`. */
  readonly onTerminal?: boolean | undefined;
  /** When it serves: a loopback port or a socket path accepts, or the probe says so. Absent: at once. */
  readonly ready?:
    | { readonly port: number }
    | { readonly socket: string }
    | (() => Promise<boolean>)
    | undefined;
  /** Default 60 s. */
  readonly timeoutMs?: number | undefined;
}

export interface Exit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  /** What it wrote to standard output and error so far; `from`: without so many bytes of its beginning. */
  output(from?: number): string;
  readonly exited: Promise<Exit>;
  /** Sends the signal and waits for the end; resolves at once when it has ended. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** SIGTERM, and SIGKILL when that has not ended it after `graceMs` (default 5 s). */
  stop(graceMs?: number): Promise<Exit>;
}

/** What has taken long is looked for less often: looks of several tests at once are a load of their own. */
const pollMs = { least: 15, most: 60 };
const alive = new Set<ChildProcess>();
let runs = 0;

/** Starts a program and waits until it serves. If it ends first or takes too long, the error shows its output. */
export async function startProcess(spec: ServerSpec): Promise<ServerProcess> {
  if (runs === 0) atEnd(killAll);
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
  record(id, spec.command);

  const server: ServerProcess = {
    pid: child.pid ?? 0,
    output: (from = 0) => readFrom(outputFile, from),
    exited,
    kill: (signal) => {
      if (alive.has(child)) child.kill(signal);
      return exited;
    },
    stop: async (graceMs = 5_000) => {
      const children = descendants(server.pid).map(({ command }) => command);
      if (children.length > 0) record(`${id}-children`, children);
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
  timeoutMs = 60_000,
): Promise<void> {
  const start = performance.now();
  for (let passed = 0; passed < timeoutMs; passed = performance.now() - start) {
    if (
      await Promise.resolve()
        .then(probe)
        .catch(() => false)
    )
      return;
    const pauseMs = Math.min(pollMs.most, Math.max(pollMs.least, passed / 50));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
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
      stdio: spec.onTerminal ? 'inherit' : [spec.input === undefined ? 'ignore' : 'pipe', output, output],
    });
    // A program that ends before it has read all tells by its exit code.
    child.stdin?.on('error', () => {}).end(spec.input);
    alive.add(child);
    return child;
  } finally {
    closeSync(output);
  }
}

function readFrom(file: string, position: number): string {
  if (position === 0) return readFileSync(file, 'utf8');
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.max(0, size - position));
    const read = readSync(descriptor, bytes, 0, bytes.length, position);
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(descriptor);
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

/** Arguments are searched for secrets at the end of the run. */
function record(id: string, command: readonly string[]): void {
  writeFileSync(join(runPart('processes'), `${id}.json`), JSON.stringify(command), { mode: 0o600 });
}

function killAll(): void {
  for (const child of alive) child.kill('SIGKILL');
}
