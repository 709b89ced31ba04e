import type { ChildResult, RunChild } from '../core/child.ts';
import { AgentError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { isProgram } from '../plugin/program.ts';

export interface ReloadCommand {
  /** Name of the target, for messages. */
  readonly target: string;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, Secret<string>>>;
}

/** Shorter values are words like "1" or "yes"; masking them would make the output unreadable. */
const shortestSecret = 6;

/** Runs the command once; throws `deploy.reload` with its last lines unless it ends with exit code 0, or the signal's reason. */
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
  signal.throwIfAborted();
  if (result.code === 0 && !result.timedOut) return;
  throw new AgentError('deploy.reload', `${what} ${howItEnded(result, timeoutMs)}${lastLines(result)}`, {
    facts: { target: reload.target, code: result.code, timedOut: result.timedOut },
  });
}

/** Throws `deploy.reload` unless the program is there to be run; does not run it. */
export async function tryReload(reload: ReloadCommand, run: RunChild, signal: AbortSignal): Promise<void> {
  const [program = ''] = reload.command;
  if (await isProgram(program, { run, path: reload.env.PATH?.reveal() }, signal)) return;
  throw new AgentError(
    'deploy.reload',
    `the program ${program} of the reload of ${reload.target} is not there, or may not be run`,
    { advice: 'Install it, or correct "reload" of the target.' },
  );
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
