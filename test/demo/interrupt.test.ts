import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allProcesses } from '../support/proc.ts';
import { startProcess, until } from '../support/process.ts';
import { projectRoot } from '../support/root.ts';
import { processesOf, runFolder } from '../support/run-folder.ts';

test.concurrent.each([
  ['SIGTERM', 'while the agent starts', '1. Starting', 'pebble'],
  ['SIGINT', 'while certificates are ordered', '2. Waiting', 'redis-server'],
  ['SIGINT', 'while everything is renewed', '4. Renewing', 'renew-all'],
] as const)('%s %s ends the demo, and nothing is left', async (signal, _moment, line, program) => {
  const { demo, running, left } = await demoAt(line);
  await until(`${program} runs`, () => running().some(({ command }) => command.includes(program)));
  expect(await demo.kill(signal)).toEqual({ code: undefined, signal });
  expect(left()).toEqual([]);
});

test.concurrent('Ctrl-C at a terminal, which ends all programs at once, is no failure of a demo that was kept', async () => {
  const { demo, left } = await demoAt('The agent goes on', ['--keep']);
  process.kill(-demo.pid, 'SIGINT');
  expect(await demo.exited).toEqual({ code: 0, signal: undefined });
  expect(demo.output()).toMatch(/The agent goes on [^\n]*\n$/);
  expect(left()).toEqual([]);
});

/** A demo with servers of its own, which have to end with it, in a process group of its own, when it has said the line. */
async function demoAt(line: string, args: readonly string[] = []) {
  // Short: the path of a socket in it may have 100 bytes.
  const temporary = mkdtempSync(join(runFolder(), 'd-'));
  const demo = await startProcess({
    name: 'demo',
    command: ['setsid', process.execPath, join(projectRoot, 'dist/test/demo/main.js'), ...args],
    env: {
      ACME_AGENT_TEST_RUN: undefined,
      ACME_AGENT_TEST_REDIS_URL: undefined,
      ACME_AGENT_TEST_PEBBLE_URL: undefined,
      TMPDIR: temporary,
    },
  });
  await until(
    `it says "${line}"`,
    () => /The demo failed/.test(demo.output()) || demo.output().includes(line),
    50_000,
  );
  expect(demo.output()).toContain(line);
  const [run = ''] = readdirSync(temporary);
  const folder = join(temporary, run);
  const running = () => allProcesses().filter(({ command }) => command.includes(folder));
  const left = () => [
    ...[...running(), ...processesOf(folder)].map(({ command }) => command),
    ...readdirSync(temporary),
  ];
  return { demo, running, left };
}
