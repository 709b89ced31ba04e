// Runs before anything is installed: needs nothing but Node. Each step is skipped when its result is there already.
//   node test/support/bootstrap.mjs build | test [vitest arguments] | demo [arguments] | bench NAME [arguments] |
//     fuzz NAME [arguments] | conformance [vitest arguments]

import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir, constants as os } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildOnce } from './bootstrap/build.mjs';
import { createTurns } from './bootstrap/turns.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const cache = join(root, '.cache');

/** Written for the reader of a terminal; without a stack. */
class SetupError extends Error {}

/** The program that runs now; `end` passes a signal on to it. */
let current;
/** The signal that ended us, once there was one. */
let stoppedBy;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
watchParent();

const turns = createTurns(cache, {
  say,
  refuse: (file) => {
    throw new SetupError(`cannot write ${file}. Remedy: give this user the right to write to the checkout.`);
  },
});

/** Without a command: only what comes before it. An empty list of servers means all of them. */
const tasks = {
  build: {},
  test: {
    servers: [],
    command: (args) => [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args],
  },
  demo: {
    servers: ['redis', 'pebble', '--or-at-url'],
    command: (args) => [join(root, 'dist/test/demo/main.js'), ...args],
  },
  bench: { servers: ['redis', 'pebble', 'bind', 'lego'], command: (args) => programOf('bench', args) },
  fuzz: { command: (args) => programOf('fuzz', args) },
  conformance: {
    servers: [],
    environment: { ACME_AGENT_CONFORMANCE: '1' },
    command: (args) => [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      ...(args.length === 0 ? ['test/providers', '--exclude', 'test/providers/readme.test.ts'] : args),
    ],
  },
};

try {
  const [name = '', ...args] = process.argv.slice(2);
  const task = tasks[name];
  if (task === undefined) throw new SetupError(`usage: bootstrap.mjs ${Object.keys(tasks).join(' | ')}`);
  checkNode();
  await turns.alone(async () => {
    await installPackages();
    await buildOnce({ root, cache, settle: turns.settle, compile });
    if (task.command === undefined) return;
    if (task.servers !== undefined) await fetchServers(task.servers);
    turns.enter(name === 'test' ? 'npm test' : `npm run ${name}`);
  });
  Object.assign(process.env, task.environment);
  if (task.command !== undefined) process.exitCode = await run(process.execPath, task.command(args));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  if (stoppedBy === undefined) say(error.message);
  process.exitCode = 1;
}
if (stoppedBy !== undefined) process.exitCode = exitCodeOf(stoppedBy);

function stop(signal) {
  if (current === undefined) process.exit(exitCodeOf(signal));
  stoppedBy ??= signal;
  current.end(signal);
}

/** npm passes SIGTERM on to its shell only, which ends without us. */
function watchParent() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stoppedBy === undefined && stop('SIGTERM'), 250).unref();
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new SetupError(`Node ${process.versions.node} is too old. Remedy: install Node 20.19 or newer.`);
}

async function installPackages() {
  if (packagesAreInstalled()) return;
  say('installing npm packages (npm ci)');
  const code = await runStep(...npm('ci', '--no-fund', '--no-audit'), {
    env: { ...process.env, ...npmCache() },
  });
  if (code === 0) return;
  throw new SetupError(
    'npm ci failed, see above. Remedy: make sure that this machine reaches the npm registry (a proxy or a mirror is ' +
      'set with "npm config set proxy URL" or "npm config set registry URL"), then run the command again.',
  );
}

/**
 * npm writes down what it installed; it must be what the lock file asks for. Times would say less: a checkout or a copy
 * sets them anew. Packages for other systems are optional and stay away.
 */
function packagesAreInstalled() {
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  return Object.entries(readPackages(join(root, 'package-lock.json'))).every(([path, wanted]) => {
    const found = installed[path];
    return path === '' || (found === undefined ? wanted.optional === true : found.version === wanted.version);
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return {};
  }
}

/** The npm that started this script, else the one on PATH. */
function npm(...args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith('.js')) return [process.execPath, [script, ...args]];
  const found = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'npm')));
  if (!found) throw new SetupError('npm is not on PATH. Remedy: install npm, it comes with Node.');
  return ['npm', args];
}

/** A home that cannot be written to, as service users have it, is no place for a cache. */
function npmCache() {
  try {
    accessSync(homedir(), constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: join(cache, 'npm'), npm_config_logs_dir: join(cache, 'npm', 'logs') };
  }
}

async function compile() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const code = await runStep(process.execPath, [compiler, '--project', root]);
  if (code !== 0)
    throw new SetupError('the build failed, see above. Remedy: mend the types ("npm run check").');
}

async function fetchServers(names) {
  const support = join(root, 'dist/test/support');
  // A package manager that is killed in the middle leaves work for a person.
  const code = await runStep(process.execPath, [join(support, 'fetch-servers.js'), ...names], {
    graceMs: 10_000,
  });
  if (code !== 0) throw new SetupError('the servers above cannot be had.');
  const fetcher = await import(pathToFileURL(join(support, 'fetch/index.js')).href);
  process.env.PATH = fetcher.pathWithServers();
}

/** One of the programs in a folder of the tests, by its name. */
function programOf(kind, [name = '', ...args]) {
  const folder = join(root, 'dist/test', kind);
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.js'))
        .map((file) => file.slice(0, -3))
    : [];
  if (names.includes(name)) return [join(folder, `${name}.js`), ...args];
  throw new SetupError(
    `usage: npm run ${kind} -- NAME, where NAME is one of: ${names.join(', ') || '(none yet)'}`,
  );
}

/** Resolves with the exit code; signals that reach us reach it as well. */
async function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
  // A terminal sends Ctrl-C to the child as well; twice would mean "at once".
  const end = (signal) => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal);
  return ended(child, end);
}

/** As `run`, for a program that may leave others behind when it is ended: they are ended with it, at last by force. */
async function runStep(program, args, { env = process.env, graceMs = 500 } = {}) {
  const child = spawn(program, args, { cwd: root, env, stdio: 'inherit', detached: true });
  let deadline = Number.POSITIVE_INFINITY;
  const code = await ended(child, () => {
    deadline = performance.now() + graceMs;
    signalGroup(child, 'SIGTERM');
    setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs).unref();
  });
  if (stoppedBy === undefined) return code;
  while (performance.now() < deadline && signalGroup(child, 0))
    await new Promise((resolve) => setTimeout(resolve, 50));
  signalGroup(child, 'SIGKILL');
  throw new SetupError('stopped');
}

function ended(child, end) {
  current = { end };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? exitCodeOf(signal)));
  }).finally(() => {
    current = undefined;
  });
}

/** False when nobody is left in the group of a child that leads one. */
function signalGroup(child, signal) {
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}

function exitCodeOf(signal) {
  return 128 + os.signals[signal];
}

function say(line) {
  process.stderr.write(`acme-agent: ${line}\n`);
}
