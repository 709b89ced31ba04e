import { posix } from 'node:path';
import { type Import, type Scanned, scanSource } from './scan.ts';
import {
  classes,
  clocks,
  computedImports,
  coreBuiltins,
  doors,
  environmentReaders,
  lazyPackages,
  maxLines,
  mayImport,
  packages,
  plugins,
  topLevel,
} from './table.ts';

/** Path from the top of the checkout, with slashes, to content. */
export type Sources = ReadonlyMap<string, string>;

/** By rule, the files that may break it, each with the reason. */
export interface Exceptions {
  readonly long: Readonly<Record<string, string>>;
  /** A library calls for a timer or the time of day. */
  readonly time: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
}

interface File extends Scanned {
  readonly path: string;
  readonly unit: string;
}

/** Every violation, as `file:line what`. */
export function checkArchitecture(sources: Sources, exceptions: Exceptions): string[] {
  const files = [...sources].map(([path, text]): File => ({ path, unit: unitOf(path), ...scanSource(text) }));
  const product = files.filter(({ unit }) => unit !== 'test');
  return [
    ...files.flatMap((file) => file.imports.flatMap((one) => checkImport(file, one))),
    ...product.flatMap((file) => checkEnvironment(file, exceptions)),
    ...product.flatMap((file) => checkTime(file, exceptions)),
    ...product.flatMap(checkRequests),
    ...product.flatMap(checkClasses),
    ...plugins.flatMap((plugin) => checkRegistry(plugin, files)),
    ...[...sources].flatMap(([path, text]) => checkLength(path, text, exceptions)),
  ].sort();
}

export function checkTopLevel(names: readonly string[], ignored: readonly string[]): string[] {
  return names
    .filter((name) => !name.startsWith('.') && !ignored.includes(name) && !topLevel.includes(name))
    .map((name) => `${name} does not belong at the top level`);
}

function unitOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}

function checkImport(file: File, { specifier, kind, line }: Import): string[] {
  const say = (what: string) => [`${file.path}:${line} ${what}`];
  if (file.unit === 'test') return [];
  if (specifier === undefined) {
    return isIn(file.path, computedImports) ? [] : say('imports a module whose name is computed');
  }
  if (specifier.startsWith('.')) return checkOwnImport(file, specifier, say);
  if (specifier.startsWith('node:')) {
    const allowed = file.unit !== 'core' || coreBuiltins.includes(specifier);
    if (!allowed) return say(`imports ${specifier}: the core does no I/O`);
    const places = doors[specifier];
    return places === undefined || isIn(file.path, places)
      ? []
      : say(`imports ${specifier}: it is given what it needs of that`);
  }
  const name = packageOf(specifier);
  if (!isIn(file.path, packages[name] ?? []))
    return say(`imports the package ${name}, which has no place here`);
  const eager = kind === 'static' && lazyPackages.includes(name);
  return eager ? say(`imports ${name} at start: it is loaded when first needed`) : [];
}

function checkOwnImport(file: File, specifier: string, say: (what: string) => string[]): string[] {
  const target = posix.join(posix.dirname(file.path), specifier);
  const unit = unitOf(target);
  if (unit === file.unit) return [];
  const allowed = mayImport[file.unit];
  if (allowed === undefined)
    return say(`belongs to "${file.unit}", of which the table of imports knows nothing`);
  if (unit === 'test') return say(`imports ${target}: only tests import tests`);
  if (allowed === 'everything' || (allowed === 'everything but cli' && unit !== 'cli')) return [];
  if (typeof allowed === 'string') return say(`imports ${target}: ${file.unit} may not import ${unit}`);
  if (allowed.includes(unit) || allowed.includes(target)) return [];
  return say(`imports ${target}: ${file.unit} may only import ${allowed.join(', ') || 'nothing of ours'}`);
}

function checkEnvironment(file: File, exceptions: Exceptions): string[] {
  if (environmentReaders.includes(file.path) || file.path in exceptions.environment) return [];
  const pattern =
    /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*(?:\?\.)?\[|\benv\b[^;={}]*\}\s*=\s*process\b/g;
  return [
    ...matches(file, pattern, () => 'reads the environment: only the loader of the configuration does'),
    ...importsOf(
      file,
      ['node:process', 'process'],
      'imports the process: the environment is for the loader only',
    ),
  ];
}

function checkTime(file: File, exceptions: Exceptions): string[] {
  if (clocks.includes(file.path) || file.path in exceptions.time) return [];
  // A method of that name (of a socket, say) is no timer.
  const timers = /(?<![.\w]|function\s)(?:globalThis\s*\.\s*)?\b(setTimeout|setInterval)\b(?!\s*:)/g;
  const times =
    /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\s(]))|(?<!new\s+|[.\w])Date\s*\(|\bperformance\s*\.\s*now\b|\bAbortSignal\s*\.\s*timeout\b|\bhrtime\b/g;
  return [
    ...matches(file, timers, (found) => `uses ${found}: time comes from the clock it is given`),
    ...matches(file, times, (found) => `uses ${found.trim()}: time comes from the clock it is given`),
    ...importsOf(
      file,
      ['node:timers', 'node:timers/promises', 'timers', 'timers/promises'],
      'imports timers',
    ),
    ...importsOf(file, ['node:perf_hooks', 'perf_hooks'], 'imports a clock'),
  ];
}

function checkRequests(file: File): string[] {
  const pattern =
    /(?<![.\w]|function\s)(?:globalThis\s*\.\s*)?\b(?:fetch\s*\((?!\s*\w+\??\s*:)|new\s+(?:WebSocket|EventSource)\b)/g;
  return matches(file, pattern, () => 'makes requests of its own: they go through what it is given');
}

function checkClasses(file: File): string[] {
  if (classes.includes(file.path)) return [];
  return matches(file, /(?<![.\w])class\b(?!\s*[:=?,)])/g, () => 'has a class: functions and factories do');
}

function checkRegistry({ folder, define }: (typeof plugins)[number], files: readonly File[]): string[] {
  const inFolder = files.filter(
    ({ path }) => posix.dirname(path) === folder && posix.basename(path) !== 'index.ts',
  );
  const registry = files.find(({ path }) => path === `${folder}/index.ts`);
  const registered = (registry?.imports ?? []).map(({ specifier }) => posix.join(folder, specifier ?? ''));
  return inFolder.flatMap(({ path, code }) => {
    const isPlugin = new RegExp(`\\b${define}\\s*(?:<[^(]*>)?\\(`).test(code);
    return !isPlugin || registered.includes(path)
      ? []
      : [`${path}:1 is not registered in ${folder}/index.ts`];
  });
}

function checkLength(path: string, text: string, exceptions: Exceptions): string[] {
  const lines = text.replace(/\n$/, '').split('\n').length;
  if (lines <= maxLines || path in exceptions.long) return [];
  return [`${path}:${lines} is longer than ${maxLines} lines`];
}

function matches(file: File, pattern: RegExp, say: (found: string) => string): string[] {
  return [...file.code.matchAll(pattern)].map((match) => {
    const line = file.code.slice(0, match.index).split('\n').length;
    return `${file.path}:${line} ${say(match[0])}`;
  });
}

function importsOf(file: File, specifiers: readonly string[], what: string): string[] {
  return file.imports
    .filter(({ specifier }) => specifier !== undefined && specifiers.includes(specifier))
    .map(({ line }) => `${file.path}:${line} ${what}`);
}

function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
