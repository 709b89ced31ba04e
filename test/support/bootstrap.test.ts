import { cpSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ServerProcess, startProcess, until } from './process.ts';
import { projectRoot } from './root.ts';
import { testFolder } from './run-folder.ts';

const running: ServerProcess[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

/** A checkout with the real bootstrap and compiler, and a demo that says its word until it is ended. */
function checkout(word: string) {
  const root = testFolder('checkout');
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'test/support/bootstrap.mjs'])
    cpSync(join(projectRoot, name), join(root, name));
  cpSync(join(projectRoot, 'test/support/bootstrap'), join(root, 'test/support/bootstrap'), {
    recursive: true,
  });
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  write('test/support/fetch-servers.ts', '');
  write('test/support/fetch/index.ts', "export const pathWithServers = () => process.env.PATH ?? '';\n");
  const speak = (said: string) =>
    write('test/demo/main.ts', `process.stdout.write('${said}\\n');\nsetInterval(() => {}, 1000);\n`);
  speak(word);
  const built = join(root, 'dist/test/demo/main.js');
  async function run(task: string): Promise<ServerProcess> {
    const command = [process.execPath, join(root, 'test/support/bootstrap.mjs'), task];
    const started = await startProcess({ name: task, command });
    running.push(started);
    return started;
  }
  return { run, speak, built };
}

test('sources that changed are not built under a command that runs from what was built', async () => {
  const { run, speak, built } = checkout('old');
  const demo = await run('demo');
  await until('the demo runs', () => demo.output().includes('old'));
  speak('new');
  const build = await run('build');
  await until('the build waits', () => build.output().includes('waiting for it to end'));
  expect(build.output()).toContain(`"npm run demo" (process ${demo.pid})`);
  expect(readFileSync(built, 'utf8')).toContain('old');
  await demo.stop();
  expect(await build.exited, build.output()).toMatchObject({ code: 0 });
  expect(readFileSync(built, 'utf8')).toContain('new');
});

test('what is built already is left alone, unless somebody else has written there', async () => {
  const { run, built } = checkout('same');
  expect(await (await run('build')).exited).toMatchObject({ code: 0 });
  const { mtimeMs } = statSync(built);
  const demo = await run('demo');
  await until('the demo runs', () => demo.output().includes('same'));
  const build = await run('build');
  expect(await build.exited).toMatchObject({ code: 0 });
  expect(build.output()).toBe('');
  expect(statSync(built).mtimeMs).toBe(mtimeMs);
  await demo.stop();
  writeFileSync(built, 'process.exitCode = 7;\n');
  expect(await (await run('build')).exited).toMatchObject({ code: 0 });
  expect(readFileSync(built, 'utf8')).toContain('same');
});
