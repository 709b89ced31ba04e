export interface Import {
  /** As written; undefined when it is computed. */
  readonly specifier: string | undefined;
  /** type: erased by the compiler; dynamic: `import(…)` or `require(…)` at run time. */
  readonly kind: 'static' | 'type' | 'dynamic';
  readonly line: number;
}

export interface Scanned {
  /** The source with comments blanked and each string reduced to `"#n"`; lines keep their numbers. */
  readonly code: string;
  readonly imports: readonly Import[];
}

interface Reader {
  readonly text: string;
  at: number;
  code: string;
  readonly strings: string[];
}

/** Behind these a slash starts a regular expression, not a division. */
const beforeRegex = /(?:^|[=(,:;!&|?{}[\]+\-*%<>~^]|\breturn|\bcase|\btypeof|\bin|\bof|=>)\s*$/;

/** Reads TypeScript as far as the rules need it: what is code, what is a comment or a string, what is imported. */
export function scanSource(text: string): Scanned {
  const reader: Reader = { text, at: 0, code: '', strings: [] };
  readCode(reader, undefined);
  return { code: reader.code, imports: importsOf(reader) };
}

/** Up to the end, or to the brace that closes a `${`. */
function readCode(reader: Reader, closing: '}' | undefined): void {
  let depth = 0;
  while (reader.at < reader.text.length) {
    const here = reader.text[reader.at] ?? '';
    const pair = reader.text.slice(reader.at, reader.at + 2);
    if (pair === '//') skip(reader, /\/\/[^\n]*/y);
    else if (pair === '/*') skip(reader, /\/\*[\s\S]*?(?:\*\/|$)/y);
    else if (here === "'" || here === '"') readString(reader, here);
    else if (here === '`') readTemplate(reader);
    else if (here === '/' && beforeRegex.test(reader.code.slice(-20)))
      skip(reader, /\/(?:\\.|\[(?:\\.|[^\]\n])*\]|[^/\n])+\/?/y);
    else {
      if (here === '{') depth++;
      if (here === '}' && depth-- === 0 && closing !== undefined) return;
      reader.code += here;
      reader.at++;
    }
  }
}

function skip(reader: Reader, pattern: RegExp): void {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0] ?? reader.text[reader.at] ?? '';
  reader.at += found.length;
  reader.code += ` ${lineBreaks(found)}`;
}

function readString(reader: Reader, quote: string): void {
  const start = reader.at + 1;
  let end = start;
  while (end < reader.text.length && reader.text[end] !== quote && reader.text[end] !== '\n') {
    end += reader.text[end] === '\\' ? 2 : 1;
  }
  put(reader, reader.text.slice(start, end));
  reader.at = end + 1;
}

/** One without a `${` counts as a string; the code within each `${}` is code. */
function readTemplate(reader: Reader): void {
  let content = '';
  let isPlain = true;
  reader.at++;
  while (reader.at < reader.text.length && reader.text[reader.at] !== '`') {
    if (reader.text.startsWith('${', reader.at)) {
      isPlain = false;
      reader.at += 2;
      reader.code += ' (';
      readCode(reader, '}');
      reader.code += ') ';
      reader.at++;
      continue;
    }
    const length = reader.text[reader.at] === '\\' ? 2 : 1;
    content += reader.text.slice(reader.at, reader.at + length);
    reader.at += length;
  }
  reader.at++;
  if (isPlain) put(reader, content);
  reader.code += lineBreaks(content);
}

function put(reader: Reader, content: string): void {
  reader.code += `"#${reader.strings.length}"`;
  reader.strings.push(content);
}

function lineBreaks(text: string): string {
  return text.replace(/[^\n]/g, '');
}

function importsOf({ code, strings }: Reader): Import[] {
  const lineAt = (index: number) => code.slice(0, index).split('\n').length;
  const found = (pattern: RegExp, kind: (match: RegExpMatchArray) => Import['kind']) =>
    [...code.matchAll(pattern)].map(
      (match): Import => ({
        specifier: match[1] === undefined ? undefined : strings[Number(match[1])],
        kind: kind(match),
        line: lineAt(match.index ?? 0),
      }),
    );
  return [
    ...found(/\bfrom\s*"#(\d+)"/g, (match) => kindOfStatement(code.slice(0, match.index))),
    ...found(/\bimport\s*"#(\d+)"/g, () => 'static'),
    ...found(/\b(?:import|require)\s*\(\s*"#(\d+)"/g, (match) => kindOfCall(code.slice(0, match.index))),
    ...found(/\b(?:import|require)\s*\(\s*(?!"#\d+"\s*[,)]|\s)/g, () => 'dynamic'),
  ];
}

/** `import type … from` and `export type … from`; a statement with one value among its types is none. */
function kindOfStatement(before: string): Import['kind'] {
  const statement = /\b(?:import|export)\b(?![\s\S]*\b(?:import|export)\b)([\s\S]*)$/.exec(before)?.[1] ?? '';
  if (/^\s*type\b/.test(statement)) return 'type';
  const names = /\{([^}]*)\}\s*$/.exec(statement)?.[1]?.split(',') ?? [''];
  const listed = names.filter((name) => name.trim() !== '');
  return listed.length > 0 && listed.every((name) => /^\s*type\s/.test(name)) ? 'type' : 'static';
}

/** `typeof import('…')` and `import('…')` in a type stand behind a colon, a bracket or `typeof`; nobody awaits them. */
function kindOfCall(before: string): Import['kind'] {
  return /(?:\btypeof|[:<|])\s*$/.test(before) ? 'type' : 'dynamic';
}
