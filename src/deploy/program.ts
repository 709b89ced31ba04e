import type { ChildResult, RunChild } from '../core/child.ts';
import { AgentError, type ErrorCode } from '../core/errors.ts';
import { maskKeys } from '../core/mask.ts';
import type { Secret } from '../core/secret.ts';
import { isProgram } from '../plugin/program.ts';

/** A program that the operator named for a target. */
export interface TargetProgram {
  /** As messages call it: "reload "nginx -s reload" of edge". */
  readonly what: string;
  readonly target: string;
  /** Of its failures. */
  readonly code: ErrorCode;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** From the configuration: masked in its output. */
  readonly env: Readonly<Record<string, Secret<string>>>;
}

/** What it is told for one call. */
export interface ProgramCall {
  readonly facts?: Readonly<Record<string, string>> | undefined;
  readonly input?: string | undefined;
  /** In `input` or in files that it reads. */
  readonly secrets?: readonly Secret<string>[] | undefined;
}

/** Shorter values are words like "1" or "yes"; masking them would make the output unreadable. */
const shortestSecret = 6;

/** Runs the program once and resolves with its output; throws its code, with its last lines, unless it ends with 0, or the signal's reason. */
export async function runTargetProgram(
  program: TargetProgram,
  run: RunChild,
  { facts = {}, input, secrets = [], signal }: ProgramCall & { readonly signal: AbortSignal },
): Promise<string> {
  const { what, target, code, command, timeoutMs } = program;
  const given = Object.entries(program.env).map(([name, value]) => [name, value.reveal()]);
  const env = { ...Object.fromEntries(given), ...facts };
  const known = Object.values(program.env).filter((value) => value.reveal().length >= shortestSecret);
  const request = { command, env, input, secrets: [...known, ...secrets], timeoutMs, signal };
  const result = await run(request).catch((cause: unknown) => {
    signal.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError(code, `${what} could not be started: ${reason}`, { cause });
  });
  signal.throwIfAborted();
  if (result.code === 0 && !result.timedOut) return result.stdout;
  throw new AgentError(code, `${what} ${howItEnded(result, timeoutMs)}${lastLines(result)}`, {
    facts: { target, code: result.code, timedOut: result.timedOut },
  });
}

/** Throws unless the program is there to be run; does not run it. */
export async function tryTargetProgram(
  program: TargetProgram,
  { run, advice, purpose }: { readonly run: RunChild; readonly advice: string; readonly purpose: string },
  signal: AbortSignal,
): Promise<void> {
  const [name = ''] = program.command;
  if (await isProgram(name, { run, path: program.env.PATH?.reveal() }, signal)) return;
  throw new AgentError(
    program.code,
    `the program ${name} ${purpose} ${program.target} is not there, or may not be run`,
    { advice },
  );
}

function howItEnded(result: ChildResult, timeoutMs: number): string {
  if (result.timedOut) return `did not end within ${timeoutMs / 1000} s`;
  return result.code === undefined ? 'was killed' : `ended with exit code ${result.code}`;
}

/** Programs read the keys that they are called for, and one that fails may print what it read. */
function lastLines({ stdout, stderr }: ChildResult): string {
  const lines = `${maskKeys(stdout)}\n${maskKeys(stderr)}`.split('\n').filter((line) => line.trim() !== '');
  const text = lines.slice(-5).join('\n').slice(-1000);
  return text === '' ? '' : `: ${text}`;
}
