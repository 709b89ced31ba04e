import { z } from 'zod';
import type { AnyOperation } from './define.ts';

/** One field of an operation's input, for command lines and documentation. */
export interface InputField {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'flag' | 'list';
  /** The only values it may have. */
  readonly values?: readonly string[] | undefined;
  readonly isRequired: boolean;
  /** On a command line it stands without a flag, as the required ones do. */
  readonly isPositional: boolean;
  readonly summary: string;
}

interface JsonField {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: { readonly enum?: readonly string[] };
  readonly description?: string;
  /** From `.meta({ positional: true })`. */
  readonly positional?: boolean;
}

/** Fields in the order of their definition. */
export function fieldsOf(operation: AnyOperation): readonly InputField[] {
  const schema = z.toJSONSchema(operation.input, { io: 'input' });
  const properties = (schema.properties ?? {}) as Readonly<Record<string, JsonField>>;
  return Object.entries(properties).map(([name, field]) => ({
    name,
    kind: kindOf(field.type),
    values: field.enum ?? field.items?.enum,
    isRequired: schema.required?.includes(name) === true,
    isPositional: field.positional === true || schema.required?.includes(name) === true,
    summary: field.description ?? '',
  }));
}

function kindOf(type: string | undefined): InputField['kind'] {
  if (type === 'array') return 'list';
  if (type === 'boolean') return 'flag';
  return type === 'integer' || type === 'number' ? 'number' : 'text';
}
