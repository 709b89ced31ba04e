import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { canary } from '../support/canaries.ts';
import { dnsapiFolder } from '../support/dnsapi/account.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { testFolder } from '../support/run-folder.ts';
import { issuerAt } from './given.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pluginName = 'acme-agent-example-plugin';
const manifest = {
  name: pluginName,
  version: '1.2.3',
  type: 'module',
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  files: ['dist'],
  peerDependencies: { 'acme-agent': '*' },
  dependencies: { zod: '*' },
};
const compilerOptions = {
  target: 'es2023',
  module: 'nodenext',
  strict: true,
  declaration: true,
  skipLibCheck: true,
  types: ['node'],
  rootDir: 'src',
  outDir: 'dist',
};

let pebble: TestPebble;
let agentPackage: string;
let pluginTarball: string;

beforeAll(async () => {
  pebble = await startPebble();
  agentPackage = unpack(pack(root, testFolder('agent-tarball')), join(testFolder('installed'), 'acme-agent'));
  symlinkSync(join(root, 'node_modules'), join(agentPackage, 'node_modules'));
  pluginTarball = packPlugin();
});

afterAll(() => pebble?.stop());

/** Compiled against the types of the packed agent, then packed as its author would. */
function packPlugin(): string {
  const folder = testFolder('plugin');
  mkdirSync(join(folder, 'src'));
  copyFileSync(join(root, 'test/e2e/example-plugin.ts'), join(folder, 'src/index.ts'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  linkPackages(folder);
  symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]);
  return pack(folder, folder);
}

/** What npm would put beside the plugin. */
function linkPackages(folder: string): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(agentPackage, join(folder, 'node_modules/acme-agent'));
  symlinkSync(join(root, 'node_modules/zod'), join(folder, 'node_modules/zod'));
}

function pack(folder: string, into: string): string {
  const env = { ...process.env, npm_config_cache: testFolder('npm-cache'), npm_config_loglevel: 'error' };
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', into];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: folder, env, encoding: 'utf8' }));
  return join(into, packed.filename);
}

function unpack(tarball: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
  return folder;
}

/** Its check runs the shell files that come with the package. */
const script = {
  provider: 'acmesh',
  dnsapi: dnsapiFolder,
  script: 'dns_update',
  variables: { UPDATE_Server: '127.0.0.1', UPDATE_Port: '53', UPDATE_Key: 'key', UPDATE_Secret: 'none' },
};

/** A site whose issuing needs every part of the plugin; one host of it cannot be validated. */
async function siteWith(plugin: string): Promise<AgentSite> {
  const site = await agentSite({}, 'plugged', join(agentPackage, 'dist/src/cli/main.js'));
  linkPackages(site.folder);
  site.configure({
    plugins: [plugin],
    issuers: { pebble: issuerAt(pebble) },
    // Not the port that the CA asks: HTTP-01 fails.
    http01: { port: await freePort(), address: '127.0.0.1' },
    dnsAccounts: { theirs: { provider: 'example-dns', api: pebble.dns?.managementUrl }, script },
    deployTargets: { theirs: { target: 'example-target', folder: join(site.folder, 'target') } },
    notifiers: {
      theirs: { notifier: 'example-notifier', file: join(site.folder, 'notices'), token: canary() },
    },
    domains: [
      { name: 'zone.test', dnsAccount: 'theirs', hosts: ['shop.zone.test'] },
      { name: 'lost.test', mode: 'individual', challenge: 'http-01', hosts: ['www.lost.test'] },
    ],
  });
  return site;
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

describe('a plugin of somebody else, packed and installed beside the configuration', () => {
  const ways: readonly (readonly [string, string, string])[] = [
    ['by its package name', pluginName, `node_modules/${pluginName}`],
    ['by its path', './plugins/example', 'plugins/example'],
  ];

  it.each(ways)(
    'loaded %s, solves a wildcard, takes certificates and is told of failures',
    async (_, plugin, at) => {
      const site = await siteWith(plugin);
      unpack(pluginTarball, join(site.folder, at));
      const check = await site.run('check');
      expect(check.stdout).toContain('ok      DNS account theirs: ready');
      expect(check.stdout).toContain('ok      DNS account script: ready');
      expect(check).toMatchObject({ code: 0, stderr: '' });
      const agent = await site.start();
      try {
        const wildcard = join(site.folder, 'target', 'zone.test _wildcard.zone.test');
        await until('the wildcard is issued and deployed', () => /^\w+ acme /.test(read(wildcard)), 60_000);
        expect(read(wildcard)).toMatch(
          /^[0-9a-f]{64} acme (zone\.test \*\.zone\.test|\*\.zone\.test zone\.test)$/,
        );
        const failing = join(site.folder, 'target', 'lost.test www.lost.test');
        expect(read(failing)).toMatch(/^[0-9a-f]{64} self-signed www\.lost\.test$/);
        const notices = () => read(join(site.folder, 'notices'));
        await until(
          'the notifier is told of the failing host',
          () => notices().includes('www.lost.test'),
          60_000,
        );
        expect(notices()).not.toContain('zone.test');
        // The length of a canary: the plugin got the secret itself.
        expect(notices()).toContain('"tokenLength":31');
        expect(agent.output()).toContain('example target written');
      } finally {
        await agent.stop(20_000);
      }
    },
    180_000,
  );

  it('that is not installed is one line with the remedy, and exit code 2', async () => {
    const site = await siteWith(pluginName);
    const { code, stderr } = await site.run('start');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /acme-agent\.yaml:\d+: plugins\.0: the plugin acme-agent-example-plugin is not found: install it in \//,
    );
  });
});
