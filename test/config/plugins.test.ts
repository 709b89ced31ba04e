import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createPluginContext } from '../support/plugin-context.ts';
import { issuers, write } from './write.ts';

const run = promisify(execFile);
const modules = new URL('../../node_modules/', import.meta.url).pathname;

/** A notifier as somebody else would write it, with a zod of its own. */
const pagerSource = `
import { z } from 'zod';
export const pager = {
  kind: 'notify',
  name: 'pager',
  title: 'Pager',
  options: z.strictObject({ number: z.string(), urgent: z.boolean().default(false) }),
  create: (options, context) => ({
    name: context.name,
    digest: true,
    send: async (notices) => context.log.info({ number: options.number, notices: notices.length }, 'paged'),
  }),
};
`;

const pagers = (plugin: string) => `${issuers}plugins: ["${plugin}"]
notifiers: { night: { notifier: pager, number: "110" } }
`;

test('a plugin that was packed and installed beside the configuration works', async () => {
  const file = await write(pagers('@night/acme-agent-pager'));
  await install(
    await pack({ 'index.js': pagerSource }),
    join(file.folder, 'node_modules/@night/acme-agent-pager'),
  );
  const { config, definitions } = await file.load();
  expect(definitions.notify.get('pager')?.title).toBe('Pager');
  expect([...definitions.notify.keys()]).toEqual(['email', 'webhook', 'pager']);
  const [night] = config.notifiers;
  expect(night?.options).toEqual({ number: '110', urgent: false });
  const context = createPluginContext('night');
  const notifier = await night?.definition.create({ number: '110' }, context);
  await notifier?.send([], undefined, new AbortController().signal);
  expect(context.logged.join()).toContain('paged');
});

test("mistakes in a plugin's options are told like all others", async () => {
  const file = await write(
    `${issuers}plugins: [./pager.mjs]\nnotifiers:\n  night:\n    notifier: pager\n    numbr: "1"\n`,
    { 'pager.mjs': pagerSource },
  );
  await symlink(modules, join(file.folder, 'node_modules'));
  expect(await file.mistakes()).toEqual([
    '4: notifiers.night.number: is missing: write text',
    '6: notifiers.night.numbr: unknown key, did you mean "number"?',
  ]);
});

describe('a plugin can be', () => {
  test.each([
    ['./pager.mjs', { 'pager.mjs': pagerSource }],
    ['./', { 'package.json': '{"type":"module","main":"pager.js"}', 'pager.js': pagerSource }],
    [
      './',
      {
        'package.json': '{"type":"module","exports":{".":{"types":"./x.d.ts","import":"./pager.js"}}}',
        'pager.js': pagerSource,
      },
    ],
    [
      './list.mjs',
      {
        'pager.mjs': pagerSource,
        'list.mjs': 'import { pager } from "./pager.mjs"; export const plugins = [pager]; export { pager };',
      },
    ],
  ])('%s with %j', async (plugin, files) => {
    const file = await write(pagers(plugin), files);
    await symlink(modules, join(file.folder, 'node_modules'));
    const { definitions } = await file.load();
    expect(definitions.notify.has('pager')).toBe(true);
  });
});

describe('a plugin is refused', () => {
  const bare = (body: string) => `export const x = { options: { safeParse() {} }, create() {}, ${body} };`;
  test.each([
    [
      './none.mjs',
      {},
      /^2: plugins\.0: the plugin \.\/none\.mjs is not found: install it in \/.*, or give its path$/,
    ],
    ['no-such-package', {}, /^2: plugins\.0: the plugin no-such-package is not found/],
    ['./broken.mjs', { 'broken.mjs': 'throw new Error("out of order")' }, /does not load: out of order$/],
    [
      './empty.mjs',
      { 'empty.mjs': 'export const x = 1; export const y = { kind: "dns" }' },
      /exports nothing made by defineDnsProvider/,
    ],
    [
      './clash.mjs',
      { 'clash.mjs': bare('kind: "dns", name: "route53"') },
      /brings a DNS provider "route53", but acme-agent has one of that name: use one of them$/,
    ],
  ])('%s', async (plugin, files, sentence) => {
    const file = await write(`${issuers}plugins: ["${plugin}"]\n`, files);
    await expect(file.load()).rejects.toMatchObject({ code: 'config.plugin' });
    expect(await file.mistakes()).toEqual([expect.stringMatching(sentence)]);
  });

  test('when two bring the same name', async () => {
    const file = await write(`${issuers}plugins: [./a.mjs, ./b.mjs]\n`, {
      'a.mjs': bare('kind: "deploy", name: "ftp"'),
      'b.mjs': bare('kind: "deploy", name: "ftp"'),
    });
    expect(await file.mistakes()).toEqual([
      '2: plugins.1: the plugin ./b.mjs brings a deploy target "ftp", but ./a.mjs has one of that name: use one of them',
    ]);
  });
});

async function pack(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'acme-agent-plugin-'));
  const manifest = {
    name: '@night/acme-agent-pager',
    version: '1.0.0',
    type: 'module',
    exports: './index.js',
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await run('npm', ['pack', '--silent', '--offline', '--ignore-scripts'], { cwd: folder });
  const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  return join(folder, archive);
}

async function install(archive: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', folder, '--strip-components=1']);
  await cp(join(modules, 'zod'), join(folder, 'node_modules/zod'), { recursive: true });
}
