import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { serverProgram } from './fetch/index.ts';
import { readProcess } from './proc.ts';
import { startProcess, until } from './process.ts';
import { projectRoot } from './root.ts';
import { runFolder, testFolder } from './run-folder.ts';

const bystanders: ChildProcess[] = [];

afterEach(() => {
  for (const bystander of bystanders.splice(0)) bystander.kill();
});

/** Begins a run and leaves in it what an agent would: a server in a session of its own that wipes out its environment. */
const script = `
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { openRun } from ${JSON.stringify(join(projectRoot, 'dist/test/support/run-folder.js'))};
const folder = openRun();
const { PATH, TMPDIR } = process.env;
const aside = { detached: true, stdio: 'ignore', env: { PATH, TMPDIR } };
const sleeper = spawn('sleep', ['300'], aside);
const settings = ['--port', '0', '--unixsocket', folder + '/redis.sock', '--dir', folder + '/tmp', '--save', ''];
const redis = spawn(${JSON.stringify(serverProgram('redis-server'))}, settings, aside);
while (!existsSync(folder + '/redis.sock')) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(JSON.stringify({ folder, left: [sleeper.pid, redis.pid] }));
setInterval(() => {}, 1000);
`;

async function begin(temporary: string) {
  const file = join(temporary, 'begin.mjs');
  writeFileSync(file, script);
  const run = await startProcess({
    name: 'run',
    command: [process.execPath, file],
    env: { ACME_AGENT_TEST_RUN: undefined, TMPDIR: temporary },
  });
  await until('it has begun', () => run.output().endsWith('}\n'));
  const { folder, left } = JSON.parse(run.output()) as { folder: string; left: readonly number[] };
  return { run, folder, running: () => left.flatMap((pid) => readProcess(pid)?.command ?? []) };
}

test('temporary files are in the folder of the run', () => {
  expect(tmpdir()).toBe(join(runFolder(), 'tmp'));
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s ends a run with all that it started',
  async (signal) => {
    const { run, folder, running } = await begin(testFolder('runs'));
    expect(running()).toHaveLength(2);
    expect(await run.kill(signal)).toMatchObject({ signal });
    expect(running()).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  },
);

test('the next run makes up for one that was killed, and leaves alone who only looks into its folder', async () => {
  const temporary = testFolder('runs');
  const killed = await begin(temporary);
  mkdirSync(join(killed.folder, 'data'));
  // One process and no shell: of a shell and its child, `afterEach` would end the shell alone.
  const looker = spawn('tail', ['-f', join(killed.folder, 'owner')], {
    cwd: join(killed.folder, 'data'),
    env: { PATH: process.env.PATH },
  });
  bystanders.push(looker);
  await killed.run.kill('SIGKILL');
  expect(killed.running()).toHaveLength(2);

  const { run, folder } = await begin(temporary);
  expect(killed.running()).toEqual([]);
  expect(existsSync(killed.folder)).toBe(false);
  expect(readProcess(looker.pid ?? 0)?.command).toContain(killed.folder);
  expect(existsSync(folder)).toBe(true);
  await run.stop();
});
