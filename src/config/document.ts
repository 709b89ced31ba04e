import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import type { Mistakes, Path } from './mistakes.ts';

/** The text of a configuration file as data that knows its lines. */
export interface ConfigDocument {
  /** Plain data; keys without a value count as absent. */
  readonly content: unknown;
  /** Line of the last step of `path` that is there. */
  lineOf(path: Path): number;
}

/** What the parser says can quote the file, and the file holds secrets: each code has a sentence of ours. */
const sentences: Partial<Record<YAMLError['code'], string>> = {
  BAD_ALIAS: 'a value that starts with "*" must be in quotes',
  BAD_DQ_ESCAPE: 'there is a backslash in double quotes that means nothing: use single quotes',
  BAD_INDENT: 'the indentation does not fit, or a bracket above is not closed',
  BAD_SCALAR_START: 'a value that starts with "@" or "`" must be in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a value with ": " in it must be in quotes, and a nested mapping on lines of its own',
  MISSING_CHAR: 'a quote, bracket, colon or comma is missing',
  MULTIPLE_DOCS: 'the file must hold one document: remove the "---" here and what follows',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'a value that starts with "!" must be in quotes',
  UNEXPECTED_TOKEN: 'this is not expected here; check brackets, quotes and indentation',
};

/** Reports what is no YAML; throws through `mistakes` when the rest makes no sense without it. */
export function readDocument(text: string, mistakes: Mistakes): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const lineAt = (offset: number | undefined) => Math.max(1, lines.linePos(offset ?? 0).line);
  const faults = faultsOf(document);
  for (const { code, at } of faults)
    mistakes.add(
      lineAt(at),
      [],
      code === 'DUPLICATE_KEY'
        ? `the key "${/^[\w.*-]+/.exec(text.slice(at))?.[0] ?? ''}" stands twice: remove one`
        : (sentences[code] ?? `this is not valid YAML (${code})`),
    );
  if (faults.some(({ code }) => code !== 'DUPLICATE_KEY')) mistakes.throwIfAny();

  function resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(document) : node;
  }
  function lineOf(path: Path): number {
    let node = resolve(document.contents);
    let line = 1;
    for (const key of path) {
      const step = stepInto(node, key);
      if (step === undefined) break;
      line = lineAt(step.at.range?.[0]);
      node = resolve(step.value);
    }
    return line;
  }
  return { content: withoutNulls(plain(document, mistakes)), lineOf };
}

type Parsed = ReturnType<typeof parseDocument>;

function faultsOf(document: Parsed): readonly { code: YAMLError['code']; at: number }[] {
  const faults = [...document.errors, ...document.warnings].map(({ code, pos }) => ({ code, at: pos[0] }));
  // The parser finds these only when it makes data of them, and then without their place.
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined)
        faults.push({ code: 'BAD_ALIAS', at: alias.range?.[0] ?? 0 });
    },
  });
  return faults;
}

function plain(document: Parsed, mistakes: Mistakes): unknown {
  try {
    return document.toJS();
  } catch {
    mistakes.add(1, [], 'the aliases ("*name") expand to too much: write them out');
    mistakes.throwIfAny();
    return undefined;
  }
}

function stepInto(node: unknown, key: PropertyKey): { at: Node; value: unknown } | undefined {
  if (isMap<Node, Node | null>(node)) {
    const pair = node.items.findLast((item) => isScalar(item.key) && String(item.key.value) === String(key));
    return pair && { at: pair.key, value: pair.value };
  }
  if (!isSeq<Node>(node)) return undefined;
  const item = node.items[Number(key)];
  return item && { at: item, value: item };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== null);
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutNulls(entry)]));
}
