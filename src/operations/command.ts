import { z } from 'zod';
import { AgentError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { AnyOperation, ParsedCommand } from './define.ts';
import { shown } from './fields.ts';
import { findOperation, operations } from './index.ts';
import { counted, listed } from './words.ts';

const mostBytes = 65_536;
const mostIssues = 5;

const visible = /^[^\p{Cc}]*$/u;
const plainText = z.string().min(1).max(200).regex(visible, { error: 'must not have control characters' });

const envelope = z.strictObject({
  v: z.literal(1),
  input: z.unknown().optional(),
  requestedBy: plainText.optional(),
  idempotencyKey: plainText.optional(),
});

/**
 * What the job `name` with `data` asks for. The data may come from anybody who reaches the queue: whatever it is, the
 * answer is a command or an AgentError `command.unknown` / `command.invalid` that names the field and the remedy.
 */
export function parseCommand(name: string, data: unknown): ParsedCommand {
  const operation = findOperation(name);
  if (operation === undefined) throw unknownOperation(name);
  const plain = bounded(name, data);
  const result = envelope.safeParse(plain);
  if (!result.success) throw invalid(name, result.error.issues, { root: 'data', value: plain });
  const { input = {}, requestedBy, idempotencyKey } = result.data;
  return { operation, input: parseInput(operation, input), caller: { requestedBy, idempotencyKey } };
}

/** How an operation and its fields are called where its input comes from. */
export interface Spelling {
  readonly name: string;
  field(path: readonly PropertyKey[]): string;
}

/** The input of an operation in its canonical form; throws `command.invalid`. */
export function parseInput(operation: AnyOperation, input: unknown, spelling?: Spelling): unknown {
  const result = operation.input.safeParse(input);
  if (!result.success)
    throw invalid(spelling?.name ?? operation.name, result.error.issues, {
      root: 'input',
      value: input,
      spelling,
    });
  return result.data;
}

function unknownOperation(name: string): AgentError {
  const names = operations.map((operation) => operation.name);
  const near = nearest(shown(name), names);
  const hint = near === undefined ? `there are: ${listed(names, names.length)}` : `do you mean ${near}?`;
  return new AgentError('command.unknown', `there is no operation "${shown(name)}"; ${hint}`);
}

/** As JSON would carry it, so that nothing but plain data goes on. */
function bounded(name: string, data: unknown): unknown {
  const json = toJson(data);
  if (json === undefined)
    throw new AgentError('command.invalid', `${name}: the data is not JSON; send ${example}`);
  const bytes = Buffer.byteLength(json);
  if (bytes > mostBytes)
    throw new AgentError(
      'command.invalid',
      `${name}: the data has ${bytes} bytes and at most ${mostBytes} are taken; send it in several commands`,
    );
  return JSON.parse(json);
}

const example = '{"v": 1, "input": {}}';

function toJson(data: unknown): string | undefined {
  try {
    return JSON.stringify(data);
  } catch {
    return undefined;
  }
}

type Issue = z.core.$ZodIssue;

interface Place {
  readonly root: 'data' | 'input';
  readonly value: unknown;
  readonly spelling?: Spelling | undefined;
}

function invalid(name: string, issues: readonly Issue[], at: Place): AgentError {
  const words = issues.slice(0, mostIssues).map((issue) => wordsOf(issue, at));
  const more = issues.length > mostIssues ? [`and ${issues.length - mostIssues} more`] : [];
  return new AgentError('command.invalid', `${name}: ${[...words, ...more].join('; ')}`);
}

function wordsOf(issue: Issue, { root, value, spelling }: Place): string {
  const path = issue.path.map((part) => shown(part));
  const field = path.length === 0 ? root : (spelling?.field(issue.path) ?? path.join('.'));
  const given = issue.path.reduce<unknown>(
    (inner, part) => (inner instanceof Object ? Reflect.get(inner, part) : undefined),
    value,
  );
  if (given === undefined && issue.code !== 'unrecognized_keys') return `${field} is missing; ${wish(issue)}`;
  switch (issue.code) {
    case 'unrecognized_keys':
      return `${field} has an unknown field ${listed(issue.keys.map((key) => `"${shown(key)}"`))}; leave it out`;
    case 'custom':
      return `${field}: ${issue.message}`;
    default:
      return `${field} ${wish(issue)}${instead(issue, given)}`;
  }
}

/** Names the text that is not what it must be; the length of one says nothing about what is wrong with it. */
function instead({ code }: Issue, given: unknown): string {
  return typeof given === 'string' && !code.startsWith('too_') ? `, not "${shown(given)}"` : '';
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'an object',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
};

const units: Readonly<Record<string, string>> = { string: 'character', array: 'name' };

function wish(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return size('at least', Number(issue.minimum), issue.origin);
    case 'too_big':
      return size('at most', Number(issue.maximum), issue.origin);
    case 'invalid_format':
      return issue.format === 'email' ? 'must be an e-mail address' : issue.message;
    default:
      return `is not valid: ${issue.message}`;
  }
}

function size(bound: string, count: number, origin: string): string {
  const unit = units[origin];
  return unit === undefined ? `must be ${bound} ${count}` : `must have ${bound} ${counted(count, unit)}`;
}
