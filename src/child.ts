import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { ChildRequest, ChildResult, RunChild } from './core/child.ts';
import { AgentError } from './core/errors.ts';
import { mask } from './core/mask.ts';
import type { Clock, Log } from './core/ports.ts';

const defaultTimeoutMs = 60_000;
const outputLimit = 64 * 1024;

/** From SIGTERM to SIGKILL. */
const graceMs = 5000;

/** How long output may still arrive after the program ended; a daemon it left behind holds the pipes open for ever. */
const lingerMs = 1000;

export interface ChildOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What every child gets of our own environment, and nothing else. */
  readonly path: string;
  readonly home: string;
  readonly tmpdir: string;
}

/**
 * Runs programs without a shell, each in a process group of its own. Whatever way the program ends, the call resolves;
 * an abort kills the group and resolves without a code. Rejects with `config.unreadable` when the program cannot be
 * started, and with the signal's reason when that was aborted before the start.
 */
export function createRunChild(options: ChildOptions): RunChild {
  const { clock, log, path, home, tmpdir } = options;
  return async (request) => {
    request.signal?.throwIfAborted();
    const startedAt = clock.now();
    const child = await start(request, { PATH: path, HOME: home, TMPDIR: tmpdir });
    const secrets = (request.secrets ?? []).map((secret) => secret.reveal()).filter((text) => text !== '');
    const stdout = capture(child.stdout, secrets);
    const stderr = capture(child.stderr, secrets);
    feed(child, request.input);
    const { code, timedOut } = await ended(child, request, clock);
    const facts = { program: request.command[0], code, timedOut, ms: clock.now() - startedAt };
    log.debug(facts, 'program ended');
    return { code, timedOut, stdout: stdout(), stderr: stderr() };
  };
}

function start(request: ChildRequest, base: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const [program, ...args] = request.command;
  if (program === undefined) throw new AgentError('config.unreadable', 'the command to run is empty');
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error) =>
      reject(
        new AgentError('config.unreadable', `cannot run ${program}: ${reasonOf(cause, request)}`, { cause }),
      );
    try {
      const child = spawn(program, args, {
        cwd: request.cwd,
        env: { ...base, ...request.env },
        detached: true,
        stdio: 'pipe',
      });
      child.once('error', refuse);
      child.once('spawn', () => resolve(child));
    } catch (cause) {
      refuse(cause instanceof Error ? cause : new Error(String(cause)));
    }
  });
}

function reasonOf(error: Error, { cwd }: ChildRequest): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return cwd === undefined ? 'not found' : `it, or its folder ${cwd}, is not there`;
  if (code === 'EACCES') return 'this user may not execute it';
  return String(code ?? error.message);
}

/** Collects the end of the output; the function returned gives it with the secrets masked. */
function capture(stream: Readable | null, secrets: readonly string[]): () => string {
  const longest = Math.max(0, ...secrets.map((text) => text.length));
  let text = '';
  let cut = false;
  stream?.setEncoding('utf8');
  stream?.on('error', () => {});
  stream?.on('data', (chunk: string) => {
    text += chunk;
    // Cut rarely: a slice at every small chunk would be quadratic.
    if (text.length > 2 * (outputLimit + longest)) trim();
  });
  const trim = () => {
    if (text.length <= outputLimit + longest) return;
    text = text.slice(-(outputLimit + longest));
    cut = true;
  };
  return () => {
    trim();
    return mask(text, secrets, cut ? longest : 0).slice(-outputLimit);
  };
}

function feed(child: ChildProcess, input: ChildRequest['input']): void {
  // A program that does not read its input closes the pipe: not our fault and no failure.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
}

function ended(
  child: ChildProcess,
  request: ChildRequest,
  clock: Clock,
): Promise<Pick<ChildResult, 'code' | 'timedOut'>> {
  return new Promise((resolve) => {
    const timers: (() => void)[] = [];
    let timedOut = false;
    let killed = false;
    let code: number | undefined;
    const kill = () => {
      killed = true;
      killGroup(child, 'SIGTERM');
      timers.push(clock.after(graceMs, () => killGroup(child, 'SIGKILL')));
    };
    const finish = () => {
      request.signal?.removeEventListener('abort', kill);
      for (const cancel of timers) cancel();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code: killed ? undefined : code, timedOut });
    };
    timers.push(
      clock.after(request.timeoutMs ?? defaultTimeoutMs, () => {
        timedOut = true;
        kill();
      }),
    );
    request.signal?.addEventListener('abort', kill, { once: true });
    if (request.signal?.aborted) kill();
    child.once('exit', (exitCode) => {
      code = exitCode ?? undefined;
      if (killed) killGroup(child, 'SIGKILL');
      timers.push(clock.after(lingerMs, finish));
    });
    child.once('close', finish);
  });
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone.
  }
}
