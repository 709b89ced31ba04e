import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createRunChild } from '../src/child.ts';
import { systemClock } from '../src/clock.ts';
import type { RunChild } from '../src/core/child.ts';
import { secret } from '../src/core/secret.ts';
import { createLog } from '../src/log.ts';

const run: RunChild = createRunChild({
  clock: systemClock,
  log: createLog({ level: 'error', destination: { write: () => true } }),
  path: process.env.PATH ?? '',
  home: '/nowhere',
  tmpdir: tmpdir(),
});

const node = (script: string) => [process.execPath, '-e', script];

test('a program gets its input and its output and exit code come back', async () => {
  const result = await run({ command: ['sh', '-c', 'cat; echo oops >&2; exit 3'], input: 'hello' });
  expect(result).toEqual({ code: 3, timedOut: false, stdout: 'hello', stderr: 'oops\n' });
});

test('arguments are passed as they are, no shell sees them', async () => {
  const { stdout } = await run({ command: ['printf', '%s', '$HOME; echo "x" | cat'] });
  expect(stdout).toBe('$HOME; echo "x" | cat');
});

test('the environment is PATH, HOME and TMPDIR and what was given, nothing else', async () => {
  vi.stubEnv('LEAK', 'yes');
  const { stdout } = await run({
    command: node('console.log(JSON.stringify(process.env))'),
    env: { TOKEN: 'abc' },
  });
  vi.unstubAllEnvs();
  expect(JSON.parse(stdout)).toEqual({
    PATH: process.env.PATH,
    HOME: '/nowhere',
    TMPDIR: tmpdir(),
    TOKEN: 'abc',
  });
});

test('a program that does not read its input is no failure', async () => {
  const { code } = await run({ command: ['true'], input: 'x'.repeat(1_000_000) });
  expect(code).toBe(0);
});

test('a program that is not there is refused with its name', async () => {
  await expect(run({ command: ['/no/such/program'] })).rejects.toMatchObject({
    code: 'config.unreadable',
    message: 'cannot run /no/such/program: not found',
  });
  await expect(run({ command: [] })).rejects.toMatchObject({ code: 'config.unreadable' });
});

test('after its time the program and all it started are ended', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'child-')), 'pid');
  const result = await run({
    command: ['sh', '-c', `sleep 300 & echo $! > ${file}; wait`],
    timeoutMs: 300,
  });
  expect(result).toMatchObject({ code: undefined, timedOut: true });
  await expect.poll(async () => await isRunning(Number(await readFile(file, 'utf8')))).toBe(false);
});

test('a program that ignores SIGTERM is killed', { timeout: 20_000 }, async () => {
  const result = await run({
    command: node("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"),
    timeoutMs: 500,
  });
  expect(result).toMatchObject({ code: undefined, timedOut: true });
});

test('an abort ends the program without calling it a time-out', async () => {
  const controller = new AbortController();
  const running = run({ command: ['sleep', '300'], signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  expect(await running).toMatchObject({ code: undefined, timedOut: false });
  await expect(run({ command: ['true'], signal: controller.signal })).rejects.toThrow('aborted');
});

test('a daemon that keeps the pipes open does not hold the call', { timeout: 10_000 }, async () => {
  const { code, stdout } = await run({ command: ['sh', '-c', 'sleep 20 & echo $!'] });
  const daemon = Number(stdout);
  expect({ code, isRunning: await isRunning(daemon) }).toEqual({ code: 0, isRunning: true });
  process.kill(daemon);
});

test('of much output the last 64 KiB are kept', async () => {
  const { stdout } = await run({ command: node("process.stdout.write('x'.repeat(1_000_000) + 'end')") });
  expect(stdout).toHaveLength(64 * 1024);
  expect(stdout.endsWith('xend')).toBe(true);
});

test('secrets are masked in both outputs, the longer of two first', async () => {
  const { stdout, stderr } = await run({
    command: ['sh', '-c', 'echo a $S b; echo $S >&2'],
    env: { S: 'canary+[1]suffix' },
    secrets: [secret('canary+[1]'), secret('canary+[1]suffix'), secret('')],
  });
  expect(stdout).toBe('a *** b\n');
  expect(stderr).toBe('***\n');
});

test('no part of a secret is left where the output was cut', async () => {
  const token = 'canary-0123456789-abcdef';
  for (const overhang of [1, 7, 23, 24]) {
    const tail = 64 * 1024 - overhang;
    const { stdout } = await run({
      command: node(`process.stdout.write('-'.repeat(9) + process.env.S + 'y'.repeat(${tail}))`),
      env: { S: token },
      secrets: [secret(token)],
    });
    expect(stdout.replace('***', '')).toMatch(/^-*y+$/);
  }
});

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone) Z');
  return !stat.includes(') Z');
}
