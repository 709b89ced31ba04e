import type { z } from 'zod';
import type { Path } from './mistakes.ts';
import { suggestion } from './suggest.ts';

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

const words: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  Secret: 'text, { env: NAME } or { file: PATH }',
};

const formats: Readonly<Record<string, string>> = { email: 'an e-mail address', url: 'a URL' };

/** Of a schema that has no words of its own. */
const unspecific = 'is not valid';

/** Error map for `safeParse`: what a schema refuses, as the rest of a sentence whose subject is the path. */
export function sentenceOf(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeSentence(String(issue.expected), issue.input);
    case 'invalid_value':
      return valueSentence(issue.values.map(String), issue.input);
    case 'unrecognized_keys':
      // One line a key: `problemsOf` takes them apart again.
      return issue.keys
        .map((key) => `unknown key${suggestion(key, keysOf(issue.inst), ['known here'])}`)
        .join('\n');
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      return issue.origin === 'array' ? 'must have at least one entry' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return `must be ${formats[issue.format] ?? `in the form ${issue.pattern ?? issue.format}`}`;
    case 'invalid_key':
      return 'this name may hold only letters, digits, ".", "_" and "-"';
    default:
      return unspecific;
  }
}

export interface Problem {
  readonly path: Path;
  readonly sentence: string;
}

/** The issues of a failed `safeParse` one by one, with the likeliest reading of those that had alternatives. */
export function problemsOf(issues: readonly Issue[], prefix: Path): readonly Problem[] {
  return issues.flatMap((issue): readonly Problem[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const lines = issue.message.split('\n');
      return issue.keys.map((key, i) => ({ path: [...path, key], sentence: lines[i] ?? 'unknown key' }));
    }
    if (issue.code === 'invalid_union' && issue.errors.length > 0) return likeliest(issue, path);
    return [{ path, sentence: issue.message }];
  });
}

/** All places at which a failed `safeParse` would have taken a secret. */
export function secretPlacesOf(issues: readonly Issue[], prefix: Path): readonly Path[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'invalid_union') return issue.errors.flatMap((each) => secretPlacesOf(each, path));
    return isSecretWanted(issue) ? [path] : [];
  });
}

function isSecretWanted(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.expected === 'Secret';
}

function likeliest(union: Extract<Issue, { code: 'invalid_union' }>, path: Path): readonly Problem[] {
  const { errors: alternatives, message } = union;
  const secret = alternatives.flat().find(isSecretWanted);
  if (secret !== undefined) return [{ path, sentence: secret.message }];
  const deeper = alternatives.filter((issues) => issues.every((issue) => issue.path.length > 0));
  if (deeper.length === 0 && message !== unspecific) return [{ path, sentence: message }];
  const [best = []] = (deeper.length > 0 ? deeper : alternatives).toSorted((a, b) => a.length - b.length);
  return problemsOf(best, path);
}

function typeSentence(expected: string, input: unknown): string {
  const wanted = words[expected] ?? expected;
  if (input === undefined) return `is missing: write ${wanted}`;
  if (
    (expected === 'string' || expected === 'Secret') &&
    (typeof input === 'number' || typeof input === 'boolean')
  )
    return 'must be text: put it in quotes';
  return `must be ${wanted}, not ${kindOf(input)}`;
}

function valueSentence(values: readonly string[], input: unknown): string {
  const wanted = values.length === 1 ? values.join() : `one of ${values.join(', ')}`;
  if (input === undefined) return `is missing: write ${wanted}`;
  const hint = typeof input === 'string' ? suggestion(input, values, ['']) : '';
  return hint.startsWith(', did') ? `must be ${wanted}${hint}` : `must be ${wanted}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return words[typeof value] ?? typeof value;
}

/** Keys of an object schema; of a plugin's too, which may have its own copy of zod. */
function keysOf(schema: unknown): readonly string[] {
  const zod = field(schema, '_zod');
  const shape = field(field(zod, 'def'), 'shape');
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
