import { resolve } from 'node:path';
import type { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import { readSecretFile } from '../plugin/fields.ts';
import type { ConfigDocument } from './document.ts';
import type { Mistakes, Path } from './mistakes.ts';
import { type Problem, problemsOf, secretPlacesOf, sentenceOf } from './sentences.ts';

/** Variables of the process environment. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Reads parts of one configuration file by schema; every mistake is reported with its line, none stops the reading. */
export interface Reader {
  /**
   * The part at `path` without the keys in `omit`. Where a secret is wanted and `{ env: NAME }` or `{ file: PATH }` stands,
   * the value is put in; elsewhere these are mistakes, for what is no secret may be shown. Of a part with mistakes the
   * sound rest comes back, unless what is missing at its top leaves none.
   */
  read<T>(schema: z.ZodType<T>, path: Path, omit?: readonly string[]): T | undefined;
  /** Keys of the mapping at `path`, as written; none if it is absent or no mapping. */
  keys(path: Path): readonly string[];
  /** Entries of the list at `path`; none if it is absent or no list. */
  count(path: Path): number;
  report(path: Path, sentence: string, code?: ErrorCode): void;
  lineOf(path: Path): number;
  /** Text of a file named in the configuration; undefined after reporting that it cannot be read. */
  file(name: string, path: Path): string | undefined;
  /** A path named in the configuration, relative to the file's folder. */
  absolute(name: string): string;
}

export interface Source {
  readonly document: ConfigDocument;
  readonly mistakes: Mistakes;
  readonly folder: string;
  readonly env: Variables;
}

const misplaced =
  'is no secret and may be shown, so { env: NAME } and { file: PATH } do not go here: write the value itself';

export function createReader({ document, mistakes, folder, env }: Source): Reader {
  const report: Reader['report'] = (path, sentence, code) =>
    mistakes.add(document.lineOf(path), path, sentence, code);
  const absolute = (name: string) => resolve(folder, name);

  function file(name: string, path: Path): string | undefined {
    try {
      return readSecretFile(absolute(name));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      const reason = { ENOENT: 'is not there', EACCES: 'may not be read by this user' }[code];
      report(path, `the file ${absolute(name)} ${reason ?? `cannot be read (${code})`}`);
      return undefined;
    }
  }

  function valueBehind(reference: Reference, path: Path): string | undefined {
    if (reference.kind === 'file') return file(reference.name, path);
    const value = env[reference.name];
    if (value === undefined || value === '')
      report(path, `the environment variable ${reference.name} is not set`);
    return value === '' ? undefined : value;
  }

  function read<T>(schema: z.ZodType<T>, path: Path, omit: readonly string[] = []): T | undefined {
    let content = without(at(document.content, path), omit);
    const unresolved: Path[] = [];
    for (;;) {
      const result = schema.safeParse(content, { error: sentenceOf });
      if (result.success) return result.data;
      const references = secretPlacesOf(result.error.issues, []).flatMap((place) => {
        const reference = asReference(at(content, place));
        return reference === undefined ? [] : [{ place, reference }];
      });
      if (references.length === 0)
        return salvage(schema, content, { issues: result.error.issues, path, unresolved });
      for (const { place, reference } of references) {
        const value = valueBehind(reference, [...path, ...place]);
        if (value === undefined) unresolved.push(place);
        content = replaced(content, place, value ?? 'unresolved');
      }
    }
  }

  /** Reports the issues, and goes on without the places that have them. */
  function salvage<T>(
    schema: z.ZodType<T>,
    content: unknown,
    found: { issues: readonly z.core.$ZodIssue[]; path: Path; unresolved: readonly Path[] },
  ): T | undefined {
    const problems = problemsOf(found.issues, []).map((problem) => atReference(content, problem));
    const isReported = (problem: Problem) => found.unresolved.some((place) => same(place, problem.path));
    for (const { path, sentence } of problems.filter((problem) => !isReported(problem)))
      report([...found.path, ...path], sentence);
    return soundRest(schema, content, problems);
  }

  return {
    read,
    report,
    file,
    absolute,
    lineOf: document.lineOf,
    keys: (path) => Object.keys(asRecord(at(document.content, path))),
    count: (path) => {
      const list = at(document.content, path);
      return Array.isArray(list) ? list.length : 0;
    },
  };
}

interface Reference {
  readonly kind: 'env' | 'file';
  readonly name: string;
}

function asReference(value: unknown): Reference | undefined {
  const [entry, ...others] = Object.entries(asRecord(value));
  if (entry === undefined || others.length > 0) return undefined;
  const [kind, name] = entry;
  return (kind === 'env' || kind === 'file') && typeof name === 'string' && name !== ''
    ? { kind, name }
    : undefined;
}

/** A reference where no secret is wanted is the mistake, whatever the schema makes of it. */
function atReference(content: unknown, problem: Problem): Problem {
  const steps = problem.path.map((_, index) => problem.path.slice(0, index + 1));
  const path = steps.find((step) => asReference(at(content, step)) !== undefined);
  return path === undefined ? problem : { path, sentence: misplaced };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inner: unknown, key) => {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return undefined;
    return Reflect.get(inner, key);
  }, value);
}

function without(value: unknown, keys: readonly string[]): unknown {
  if (keys.length === 0) return value;
  return Object.fromEntries(Object.entries(asRecord(value)).filter(([key]) => !keys.includes(key)));
}

function replaced(value: unknown, path: Path, inner: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return inner;
  if (Array.isArray(value))
    return value.map((entry, i) => (i === key ? replaced(entry, rest, inner) : entry));
  const record = asRecord(value);
  return { ...record, [key]: replaced(record[String(key)], rest, inner) };
}

/**
 * What the schema takes of `content` without the places that have problems, and without those that have none but by the
 * loss of others; undefined: nothing.
 */
function soundRest<T>(schema: z.ZodType<T>, content: unknown, problems: readonly Problem[]): T | undefined {
  const rest = problems.reduce((smaller, { path }) => pruned(smaller, path), content);
  if (rest === undefined || rest === content) return undefined;
  const result = schema.safeParse(rest, { error: sentenceOf });
  return result.success ? result.data : soundRest(schema, rest, problemsOf(result.error.issues, []));
}

/**
 * Without the key that `path` leads to, or the part in which it is missing. A list with a bad entry goes whole, so that
 * no index moves. undefined: nothing is left.
 */
function pruned(value: unknown, path: Path): unknown {
  const index = path.findIndex((key) => typeof key === 'number');
  const place = index === -1 ? path : path.slice(0, index);
  const last = place.at(-1);
  if (last === undefined) return undefined;
  const parentPath = place.slice(0, -1);
  const parent = at(value, parentPath);
  // It may have gone with another place.
  if (typeof parent !== 'object' || parent === null) return value;
  return Object.hasOwn(parent, last)
    ? replaced(value, parentPath, without(parent, [String(last)]))
    : pruned(value, parentPath);
}

function same(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}
