import { type Logger, pino, stdTimeFunctions } from 'pino';
import { AgentError } from './core/errors.ts';
import { withIsoInstant } from './core/instants.ts';
import type { Log } from './core/ports.ts';

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes whole lines; default: standard error. */
  readonly destination?: { write(line: string): unknown } | undefined;
}

export interface AdjustableLog extends Log {
  /** From the next line on, also for the children. */
  setLevel(level: LogLevel): void;
}

/**
 * One JSON object a line. Errors among the facts are written with code, facts and causes, instants as ISO 8601; a Secret
 * prints as `[secret]`.
 */
export function createLog(options: LogOptions): AdjustableLog {
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true });
  const logger = pino(
    {
      // Which lines are written is decided here, since pino's children keep the level that they were made with.
      level: 'debug',
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }), log: writeFacts },
      // pino's own would take what is written above for an error again.
      serializers: { err: (written: unknown) => written },
    },
    { write: (line) => destination.write(masked(line)) },
  );
  let least = logLevels.indexOf(options.level);
  const isOn = (level: LogLevel) => logLevels.indexOf(level) >= least;
  const setLevel = (level: LogLevel) => {
    least = logLevels.indexOf(level);
  };
  return { ...toPort(logger, isOn), setLevel };
}

function toPort(logger: Logger, isOn: (level: LogLevel) => boolean): Log {
  const at = (level: LogLevel) => (facts: object, message: string) => {
    if (isOn(level)) logger[level](facts, message);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (facts) => toPort(logger.child(facts), isOn),
  };
}

function writeFacts(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [
      key,
      value instanceof Error ? errorFacts(value) : withIsoInstant(key, value),
    ]),
  );
}

interface ErrorFacts {
  readonly code?: string | undefined;
  readonly message: string;
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  readonly stack?: string | undefined;
  readonly cause?: ErrorFacts | undefined;
}

/** Of a foreign error only code, message and stack: its other fields may hold requests with credentials. */
function errorFacts(error: Error, depth = 0): ErrorFacts {
  const cause = error.cause instanceof Error && depth < 8 ? errorFacts(error.cause, depth + 1) : undefined;
  if (error instanceof AgentError)
    return {
      code: error.code,
      message: error.message,
      facts: error.facts,
      ...(error.code === 'bug' && { stack: error.stack }),
      cause,
    };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { code, message: error.message, stack: error.stack, cause };
}

const credential = /([?&](?:jwt|token|key|secret|password|sig(?:nature)?)=)[^&\s"'\\]+/gi;

/** Some URLs are a credential in themselves, as those by which a CA lets a person unpause a name: people get them whole. */
function masked(line: string): string {
  return line.replace(credential, '$1[masked]');
}
