import type { Spelling } from '../operations/command.ts';
import type { AnyOperation } from '../operations/define.ts';
import { fieldsOf, type InputField } from '../operations/describe.ts';

/** How an operation is written on a command line: required fields are arguments, the others mostly options. */
export interface CommandShape {
  /** `domains` of `domains.add`; absent for one word. */
  readonly noun?: string | undefined;
  readonly verb: string;
  readonly args: readonly ArgumentShape[];
  readonly options: readonly OptionShape[];
}

export interface ArgumentShape {
  readonly field: InputField;
  /** `<name>`, `<names...>`, or `[names...]` where there may be none. */
  readonly syntax: string;
}

export interface OptionShape {
  readonly field: InputField;
  /** `--dns-account`. */
  readonly flag: string;
  /** `--dns-account <text>`. */
  readonly syntax: string;
  readonly summary: string;
}

export function shapeOf(operation: AnyOperation): CommandShape {
  const [first = '', second] = operation.name.split('.');
  const fields = fieldsOf(operation);
  return {
    ...(second === undefined ? { verb: first } : { noun: first, verb: second }),
    args: fields.filter(({ isPositional }) => isPositional).map(argument),
    options: fields.filter(({ isPositional }) => !isPositional).map(option),
  };
}

/** Input of the operation from what was typed; the operation's schema judges it. */
export function inputOf(
  shape: CommandShape,
  typed: { readonly args: readonly unknown[]; readonly options: Readonly<Record<string, unknown>> },
): Readonly<Record<string, unknown>> {
  const fromArgs = shape.args.map(({ field }, index) => [field.name, typed.args[index]] as const);
  const fromOptions = shape.options.map(
    ({ field }) => [field.name, parsed(field, typed.options[field.name])] as const,
  );
  return Object.fromEntries([...fromArgs, ...fromOptions].filter(([, value]) => value !== undefined));
}

/** As it was typed, for messages: `domains add` and `--key-types`. */
export function spellingOf({ noun, verb, args, options }: CommandShape): Spelling {
  const names = new Map<PropertyKey, string>([
    ...args.map(({ field, syntax }) => [field.name, syntax.replace('...', '')] as const),
    ...options.map(({ field, flag }) => [field.name, flag] as const),
  ]);
  return {
    name: noun === undefined ? verb : `${noun} ${verb}`,
    field: ([first = '']) => names.get(first) ?? String(first),
  };
}

function argument(field: InputField): ArgumentShape {
  const name = field.kind === 'list' ? `${field.name}...` : field.name;
  return { field, syntax: field.isRequired ? `<${name}>` : `[${name}]` };
}

function option(field: InputField): OptionShape {
  const flag = `--${field.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const values = field.values === undefined ? '' : ` (${field.values.join(', ')})`;
  return {
    field,
    flag,
    syntax: field.kind === 'flag' ? flag : `${flag} <${placeholder(field)}>`,
    summary: `${field.summary}${field.kind === 'list' ? '; several with commas' : ''}${values}`,
  };
}

function placeholder({ kind, values }: InputField): string {
  if (kind === 'number') return 'number';
  if (kind === 'list') return 'list';
  return values === undefined ? 'text' : 'value';
}

function parsed({ kind }: InputField, typed: unknown): unknown {
  if (typeof typed !== 'string') return typed;
  if (kind === 'list')
    return typed
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (kind !== 'number') return typed;
  const number = Number(typed);
  return typed.trim() === '' || Number.isNaN(number) ? typed : number;
}
