import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { ChildResult, RunChild } from '../plugin/context.ts';

/** Reloads of one target: one at a time, the first at once, the next ones at most every 10 s. */
export interface Reloads {
  /**
   * Call after the switch. Resolves when a reload that started after this call has ended well; rejects with
   * `deploy.reload` when that one failed, or with the signal's reason. A reload for which nobody waits any more is stopped.
   */
  request(signal: AbortSignal): Promise<void>;
}

export interface ReloadCommand {
  /** Name of the target, for messages. */
  readonly target: string;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, Secret<string>>>;
}

type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: unknown };

/** One run of the reload, and those who wait for it. */
interface Round {
  readonly members: Set<(outcome: Outcome) => void>;
  readonly stop: AbortController;
}

const spacingMs = 10_000;

/** Shorter values are words like "1" or "yes"; masking them would make the output unreadable. */
const shortestSecret = 6;

export function createReloads(reload: (signal: AbortSignal) => Promise<void>, clock: Clock): Reloads {
  let next = newRound();
  let running = false;
  let planned = false;
  let lastStartAt: number | undefined;

  function request(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const round = next;
      const settle = (outcome: Outcome) => {
        round.members.delete(settle);
        signal.removeEventListener('abort', leave);
        if (outcome.ok) resolve();
        else reject(outcome.error);
      };
      const leave = () => {
        settle({ ok: false, error: signal.reason });
        if (round !== next && round.members.size === 0) round.stop.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      round.members.add(settle);
      plan();
    });
  }

  function plan(): void {
    if (running || planned || next.members.size === 0) return;
    const waitMs = waitBefore(lastStartAt, clock.now());
    if (waitMs === 0) return void start();
    planned = true;
    clock.after(waitMs, () => {
      planned = false;
      void start();
    });
  }

  async function start(): Promise<void> {
    const round = next;
    next = newRound();
    if (round.members.size === 0) return;
    running = true;
    lastStartAt = clock.now();
    const outcome = await reload(round.stop.signal).then(
      (): Outcome => ({ ok: true }),
      (error: unknown): Outcome => ({ ok: false, error }),
    );
    running = false;
    for (const settle of [...round.members]) settle(outcome);
    plan();
  }

  return { request };
}

/** Runs the command once; throws `deploy.reload` with its last lines unless it ends with exit code 0. */
export async function runReload(reload: ReloadCommand, run: RunChild, signal: AbortSignal): Promise<void> {
  const env = Object.fromEntries(Object.entries(reload.env).map(([name, value]) => [name, value.reveal()]));
  const secrets = Object.values(reload.env).filter((value) => value.reveal().length >= shortestSecret);
  const { command, timeoutMs } = reload;
  const what = `reload "${command.join(' ')}" of ${reload.target}`;
  const result = await run({ command, env, secrets, timeoutMs, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new AgentError('deploy.reload', `${what} could not be started: ${reason}`, { cause: error });
  });
  if (result.code === 0 && !result.timedOut) return;
  throw new AgentError('deploy.reload', `${what} ${howItEnded(result, timeoutMs)}${lastLines(result)}`, {
    facts: { target: reload.target, code: result.code, timedOut: result.timedOut },
  });
}

/** Throws `deploy.reload` unless the program is there to be run; does not run it. */
export async function tryReload(reload: ReloadCommand, run: RunChild, signal: AbortSignal): Promise<void> {
  const [program = ''] = reload.command;
  if (await isProgram(program, { ...reload, run, signal })) return;
  throw new AgentError(
    'deploy.reload',
    `the program ${program} of the reload of ${reload.target} is not there, or may not be run; install it or correct "reload"`,
  );
}

async function isProgram(
  program: string,
  { env, run, signal }: { env: ReloadCommand['env']; run: RunChild; signal: AbortSignal },
): Promise<boolean> {
  if (program.includes('/'))
    return access(program, constants.X_OK).then(
      async () => (await stat(program)).isFile(),
      () => false,
    );
  // A shell looks along the very PATH that the reload will get.
  const path = env.PATH?.reveal();
  const { code } = await run({
    command: ['/bin/sh', '-c', 'command -v -- "$1"', 'sh', program],
    env: path === undefined ? {} : { PATH: path },
    signal,
  });
  return code === 0;
}

function newRound(): Round {
  return { members: new Set(), stop: new AbortController() };
}

function waitBefore(lastStartAt: number | undefined, now: number): number {
  // A clock that was set back must not hold reloads up.
  if (lastStartAt === undefined || now < lastStartAt) return 0;
  return Math.max(0, lastStartAt + spacingMs - now);
}

function howItEnded(result: ChildResult, timeoutMs: number): string {
  if (result.timedOut) return `did not end within ${timeoutMs / 1000} s`;
  return result.code === undefined ? 'was killed' : `ended with exit code ${result.code}`;
}

function lastLines(result: ChildResult): string {
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  const text = lines.slice(-5).join('\n').slice(-1000);
  return text === '' ? '' : `: ${text}`;
}
