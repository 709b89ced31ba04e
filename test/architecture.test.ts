import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkArchitecture, checkTopLevel, type Exceptions } from './support/architecture/rules.ts';
import { scanSource } from './support/architecture/scan.ts';
import { projectRoot } from './support/root.ts';

/** What may break a rule, and why. */
const exceptions: Exceptions = {
  long: {
    'src/core/types.ts': 'the nouns, all in one place to be read as one',
    'src/core/ports.ts': 'the ports, all in one place to be read as one',
    'src/core/errors.ts': 'the one table of error codes',
  },
  time: {},
  environment: {},
};
const none: Exceptions = { long: {}, time: {}, environment: {} };

const ignoredByGit = ['node_modules', 'dist', 'coverage'];

function readSources(): Map<string, string> {
  const files = ['src', 'providers', 'jobs', 'test'].flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mjs|js)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return new Map(
    files.map((file) => [relative(projectRoot, file).split(sep).join('/'), readFileSync(file, 'utf8')]),
  );
}

describe('the house', () => {
  it('keeps its rules', () => {
    const sources = readSources();
    expect(sources.size).toBeGreaterThan(50);
    expect(checkArchitecture(sources, exceptions)).toEqual([]);
  });

  it('has nothing at its top level that does not belong there', () => {
    expect(checkTopLevel(readdirSync(projectRoot), ignoredByGit)).toEqual([]);
  });

  it('has no exception that is not needed', () => {
    const broken = checkArchitecture(readSources(), none).map((line) => line.split(':')[0]);
    const excused = Object.values(exceptions).flatMap((files) => Object.keys(files));
    expect(excused.filter((file) => !broken.includes(file))).toEqual([]);
  });
});

/** A made-up file for each rule; it must be found out. */
const violations: readonly (readonly [rule: string, path: string, source: string])[] = [
  ['core imports nothing of ours', 'src/core/a.ts', "import { x } from '../store/keys.ts';"],
  ['a type-only import counts', 'src/core/a.ts', "import type { X } from '../store/keys.ts';"],
  ['a re-export counts', 'src/core/a.ts', "export { x } from '../store/keys.ts';"],
  ['a re-export of everything counts', 'src/core/a.ts', "export * from '../store/keys.ts';"],
  ['a dynamic import counts', 'src/core/a.ts', "const x = await import('../store/keys.ts');"],
  ['a dynamic import of a template counts', 'src/core/a.ts', 'const x = await import(`../store/keys.ts`);'],
  ['an import in a type counts', 'src/core/a.ts', "type X = import('../store/keys.ts').X;"],
  ['an import for its effect counts', 'src/core/a.ts', "import '../store/keys.ts';"],
  ['an import over lines counts', 'src/core/a.ts', "import {\n  x,\n} from\n  '../store/keys.ts';"],
  ['core does no I/O', 'src/core/a.ts', "import { readFileSync } from 'node:fs';"],
  ['core has no packages', 'src/core/a.ts', "import { z } from 'zod';"],
  ['x509 imports core only', 'src/x509/a.ts', "import { x } from '../http.ts';"],
  ['plugin imports core only', 'src/plugin/a.ts', "import { x } from '../http.ts';"],
  ['http imports core only', 'src/http.ts', "import { x } from './child.ts';"],
  ['child imports core only', 'src/child.ts', "import { x } from './log.ts';"],
  ['folder imports nothing of ours', 'src/folder.ts', "import { x } from './core/errors.ts';"],
  ['log imports core only', 'src/log.ts', "import { x } from './clock.ts';"],
  ['clock imports core only', 'src/clock.ts', "import { x } from './log.ts';"],
  ['metrics imports core only', 'src/metrics.ts', "import { x } from './log.ts';"],
  ['store imports core and child', 'src/store/a.ts', "import { x } from '../x509/key.ts';"],
  ['challenge does not import dns', 'src/challenge/a.ts', "import { x } from '../dns/engine.ts';"],
  ['edge does not import store', 'src/edge/a.ts', "import { x } from '../store/redis.ts';"],
  ['acme does not import store', 'src/acme/a.ts', "import { x } from '../store/redis.ts';"],
  ['dns does not import providers', 'src/dns/a.ts', "import { x } from '../../providers/index.ts';"],
  ['providers import two files of dns', 'providers/a.ts', "import { x } from '../src/dns/engine.ts';"],
  ['deploy does not import child', 'src/deploy/a.ts', "import { x } from '../child.ts';"],
  ['notify does not import http', 'src/notify/a.ts', "import { x } from '../http.ts';"],
  ['config imports registries of plugins', 'src/config/a.ts', "import { x } from '../deploy/files.ts';"],
  ['operations do not import store', 'src/operations/a.ts', "import { x } from '../store/redis.ts';"],
  [
    'jobs import only the definition of operations',
    'jobs/a.ts',
    "import { x } from '../src/operations/certs.ts';",
  ],
  ['admin does not import agent', 'src/admin/a.ts', "import { x } from '../agent.ts';"],
  ['cli does not import store', 'src/cli/a.ts', "import { x } from '../store/redis.ts';"],
  ['index does not import acme', 'src/index.ts', "import { x } from './acme/client.ts';"],
  ['agent does not import cli', 'src/agent.ts', "import { x } from './cli/main.ts';"],
  ['nothing but tests imports tests', 'src/agent.ts', "import { x } from '../test/support/redis.ts';"],
  ['every part is in the table', 'src/helpers/a.ts', "import { x } from '../core/types.ts';"],
  ['a computed import is for plugins', 'src/store/a.ts', 'const x = await import(name);'],
  ['bullmq has its two files', 'jobs/issue.ts', "import { Queue } from 'bullmq';"],
  ['ioredis is for the store', 'jobs/issue.ts', "import type { Redis } from 'ioredis';"],
  ['acme-client is for acme', 'src/challenge/a.ts', "import * as acme from 'acme-client';"],
  ['node-cron is for the tick', 'jobs/issue.ts', "import cron from 'node-cron';"],
  ['pino is for the log', 'src/agent.ts', "import { pino } from 'pino';"],
  ['undici is for few files', 'src/acme/client.ts', "import { Agent } from 'undici';"],
  ['fastify is for the server', 'src/admin/auth.ts', "import fastify from 'fastify';"],
  ['commander is for the command line', 'src/agent.ts', "import { Command } from 'commander';"],
  ['the AWS SDK is for one provider', 'src/dns/a.ts', "await import('@aws-sdk/client-route-53');"],
  ['the AWS SDK of a target is for that target', 'src/deploy/a.ts', "await import('@aws-sdk/client-acm');"],
  ['the AWS SDK is lazy', 'providers/route53.ts', "import { X } from '@aws-sdk/client-route-53';"],
  ['an unknown package has no place', 'src/x509/a.ts', "import x from 'left-pad';"],
  ['a file inside a package is of the package', 'src/x509/a.ts', "import x from 'left-pad/lib/x.js';"],
  ['the environment is read in one place', 'src/agent.ts', 'const home = process.env.HOME;'],
  ['the environment is not taken apart', 'src/agent.ts', 'const { env } = process;'],
  ['the environment is not imported', 'src/agent.ts', "import { env } from 'node:process';"],
  ['the environment is not reached by name', 'src/agent.ts', "const home = process['env'];"],
  ['the time is the clock’s', 'src/core/a.ts', 'const now = Date.now();'],
  ['a new date is the time', 'src/core/a.ts', 'const now = new Date();'],
  ['a new date without brackets is the time', 'src/core/a.ts', 'const now = new Date;'],
  ['a timer is the clock’s', 'src/acme/a.ts', 'setTimeout(run, 5);'],
  ['a timer of the global object', 'src/acme/a.ts', 'globalThis.setInterval(run, 5);'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source text, not a forgotten template
  ['a timer in a template', 'src/acme/a.ts', 'const x = `${setTimeout(run, 5)}`;'],
  ['timers are not imported', 'src/acme/a.ts', "import { setTimeout as sleep } from 'node:timers/promises';"],
  [
    'a signal with a time limit is a timer',
    'src/acme/a.ts',
    'fetch(url, { signal: AbortSignal.timeout(5) });',
  ],
  ['a monotonic clock is a clock', 'src/acme/a.ts', 'const start = performance.now();'],
  ['programs are started in one place', 'src/deploy/a.ts', "import { spawn } from 'node:child_process';"],
  [
    'modules are not required around the table',
    'src/dns/a.ts',
    "import { createRequire } from 'node:module';",
  ],
  ['requests are made in one place', 'src/deploy/a.ts', "import https from 'node:https';"],
  ['requests are not made by a global function', 'src/deploy/a.ts', 'const answer = await fetch(url);'],
  ['requests are not made by the global object', 'providers/a.ts', 'await globalThis.fetch(url);'],
  ['there are no classes', 'src/dns/a.ts', 'export class Cache {}'],
  ['there are no nameless classes', 'src/dns/a.ts', 'export const cache = class {};'],
  ['a provider is in its registry', 'providers/lost.ts', 'export const lost = defineDnsProvider({});'],
  ['a deploy target is in its registry', 'src/deploy/lost.ts', 'export const lost = defineDeployTarget({});'],
  ['a notifier is in its registry', 'src/notify/lost.ts', 'export const lost = defineNotifier<Options>({});'],
  ['no file is long', 'src/core/a.ts', 'x;\n'.repeat(301)],
];

describe('a violation is found out', () => {
  it.each(violations)('%s', (_rule, path, source) => {
    const found = checkArchitecture(new Map([[path, source]]), none);
    expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(new Set([path]));
  });

  it('at the top level', () => {
    expect(checkTopLevel(['src', '.ci', 'dist', 'utils.ts'], ignoredByGit)).toEqual([
      'utils.ts does not belong at the top level',
    ]);
  });
});

const innocent: readonly (readonly [what: string, path: string, source: string])[] = [
  ['an import in a comment', 'src/core/a.ts', "// import { x } from '../store/keys.ts';\n/* Date.now() */"],
  ['an import in a string', 'src/core/a.ts', `const text = "import x from '../store/keys.ts'";`],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source text, not a forgotten template
  ['a timer in a template’s text', 'src/core/a.ts', 'const text = `setTimeout(${x})`;'],
  ['a regular expression with quotes', 'src/core/a.ts', 'const quote = /[\'"`]/; const other = a / b / c;'],
  ['a method of the name of a timer', 'src/acme/a.ts', 'socket.setTimeout(5);'],
  ['a given date', 'src/core/a.ts', 'const text = new Date(at).toISOString();'],
  ['a neighbour', 'src/store/a.ts', "import { x } from './keys.ts';"],
  ['what the table allows', 'providers/index.ts', "import { x } from '../src/dns/wire.ts';"],
  ['a lazy package', 'providers/index.ts', "type X = typeof import('../src/core/types.ts');"],
  ['a plugin that is registered', 'providers/index.ts', "import { x } from './x.ts';"],
  [
    'a method that fetches',
    'src/acme/a.ts',
    'const page = await certificates.fetch(url); function fetch(x) {}',
  ],
  ['a fact of that name', 'src/core/a.ts', 'const facts = { class: 1 }; const { class: kind } = facts;'],
  ['process events', 'src/agent.ts', "process.on('SIGTERM', stop); process.exitCode = 2;"],
  [
    'anything of a test',
    'test/a.test.ts',
    "import { Redis } from 'ioredis'; setTimeout(run, process.env.X);",
  ],
];

describe('is no violation:', () => {
  it.each(innocent)('%s', (_what, path, source) => {
    expect(checkArchitecture(new Map([[path, source]]), none)).toEqual([]);
  });
});

describe('the reader of sources', () => {
  it('tells types, values and lazy imports apart, with their lines', () => {
    const { imports } = scanSource(
      [
        "import type { A } from 'a';",
        "import { type B, type C } from 'b';",
        "import { type D, e } from 'c';",
        "const f = await import('d');",
        "let g: import('e').G;",
      ].join('\n'),
    );
    expect(imports).toEqual([
      { specifier: 'a', kind: 'type', line: 1 },
      { specifier: 'b', kind: 'type', line: 2 },
      { specifier: 'c', kind: 'static', line: 3 },
      { specifier: 'd', kind: 'dynamic', line: 4 },
      { specifier: 'e', kind: 'type', line: 5 },
    ]);
  });
});
