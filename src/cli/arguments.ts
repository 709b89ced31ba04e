import type { AnyOperation } from '../operations/define.ts';
import { fieldsOf, type InputField } from '../operations/describe.ts';

/** How an operation is written on a command line: required fields are arguments, the others options. */
export interface CommandShape {
  /** `domains` of `domains.add`; absent for one word. */
  readonly noun?: string | undefined;
  readonly verb: string;
  readonly args: readonly ArgumentShape[];
  readonly options: readonly OptionShape[];
}

export interface ArgumentShape {
  readonly field: InputField;
  /** `<name>` or `<names...>`. */
  readonly syntax: string;
}

export interface OptionShape {
  readonly field: InputField;
  /** `--dns-account <text>`. */
  readonly syntax: string;
  readonly summary: string;
}

export function shapeOf(operation: AnyOperation): CommandShape {
  const [first = '', second] = operation.name.split('.');
  const fields = fieldsOf(operation);
  return {
    ...(second === undefined ? { verb: first } : { noun: first, verb: second }),
    args: fields.filter(({ isRequired }) => isRequired).map(argument),
    options: fields.filter(({ isRequired }) => !isRequired).map(option),
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

function argument(field: InputField): ArgumentShape {
  return { field, syntax: field.kind === 'list' ? `<${field.name}...>` : `<${field.name}>` };
}

function option(field: InputField): OptionShape {
  const flag = `--${field.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const values = field.values === undefined ? '' : ` (${field.values.join(', ')})`;
  return {
    field,
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
