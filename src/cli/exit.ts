import { type AgentError, toAgentError } from '../core/errors.ts';
import { sentence } from '../operations/words.ts';
import { visible } from './print.ts';

/** What the shell gets; the only place that knows the numbers. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, refused: 4, unfinished: 5 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** For `--help` and the manual. */
export const exitTable: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.ok, 'done'],
  [exitCodes.failed, 'failed; the message says why'],
  [exitCodes.usage, 'the command line or the configuration file is wrong, or what they name cannot be had'],
  [exitCodes.unreachable, 'the agent is not running, or its store cannot be reached'],
  [exitCodes.refused, 'the agent refused the command, or knows no such thing'],
  [
    exitCodes.unfinished,
    'done in part: the task that was waited for, the import or the probe left something undone',
  ],
];

const unreachable = new Set(['store.notRunning', 'store.unavailable']);
/** What the configuration names, or stands there for when it names none. */
const named = new Set(['store.masterKey', 'store.noServer']);

export function exitCodeOf({ code }: AgentError): ExitCode {
  if (code.startsWith('config.') || named.has(code)) return exitCodes.usage;
  if (code.startsWith('command.')) return exitCodes.refused;
  return unreachable.has(code) ? exitCodes.unreachable : exitCodes.failed;
}

/**
 * `acme-agent: <message>. <advice>` on one line; mistakes in the configuration file, which come one a line, below it.
 * A refused command carries its remedy in the message. `debug` adds where it was thrown.
 */
export function errorText(thrown: unknown, { debug }: { debug: boolean } = { debug: false }): string {
  const error = toAgentError(thrown);
  const [head = '', ...more] = error.code.startsWith('config.') ? configLines(error) : [plainLine(error)];
  const stack = debug ? stackOf(thrown) : [];
  return visible([`acme-agent: ${head}`, ...more.map((line) => `  ${line}`), ...stack, ''].join('\n'));
}

function configLines(error: AgentError): readonly string[] {
  const mistakes = error.message.split('\n');
  if (mistakes.length === 1) return [plainLine(error)];
  return [`${mistakes.length} mistakes in the configuration. ${error.advice}`, ...mistakes];
}

function plainLine(error: AgentError): string {
  const message = error.message.replace(/\s*\n\s*/g, ' ').trim();
  if (error.code.startsWith('command.') || message.includes(error.advice)) return sentence(message);
  return `${sentence(message)} ${error.advice}`;
}

function stackOf(thrown: unknown): readonly string[] {
  if (!(thrown instanceof Error)) return [];
  const inner = thrown.cause instanceof Error ? [`caused by ${thrown.cause.stack}`] : [];
  return [String(thrown.stack), ...inner];
}
