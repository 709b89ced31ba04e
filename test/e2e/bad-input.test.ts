import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AgentSite, agentSite, type CliResult } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { allProcesses } from '../support/proc.ts';
import { startRedis } from '../support/redis.ts';
import { issuerAt, keepFor } from './given.ts';

const noCa = { directory: 'https://127.0.0.1:9/dir', agreeToTerms: true };

/** Nothing was made beside the configuration, and nothing that was started for it runs. */
function expectNothingLeft(site: AgentSite, before: readonly string[]): void {
  expect(readdirSync(site.folder).sort()).toEqual([...before].sort());
  expect(processesOf(site)).toEqual([]);
}

function processesOf(site: AgentSite): readonly string[] {
  return allProcesses()
    .map(({ command }) => command)
    .filter((command) => command.includes(site.folder));
}

/** One clear line, with a remedy behind what is wrong. */
function expectOneLine({ stderr, stdout }: CliResult, words: RegExp): void {
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^acme-agent: [^\n]+\.\n$/);
  expect(stderr).toMatch(words);
}

describe.concurrent('mistakes in the configuration file', () => {
  const label = 'a'.repeat(60);
  const long = `${[label, label, label, label].join('.')}.hosts.test`;
  const mistakes: readonly (readonly [string, object, RegExp])[] = [
    ['an unknown key', { isuers: {} }, /isuers: unknown key, did you mean "issuers"\?/],
    ['a wrong type', { dataDir: 7 }, /dataDir: must be text: put it in quotes/],
    [
      'a wildcard with HTTP-01',
      { domains: [{ name: 'w.test', mode: 'wildcard', challenge: 'http-01' }] },
      /domains\.0\.mode: a wildcard is only issued over dns-01, but the challenge is http-01: remove one of them/,
    ],
    [
      'a host that stands twice',
      { domains: [{ name: 'hosts.test', hosts: ['a.hosts.test', 'A.hosts.test.'] }] },
      /domains\.0\.hosts\.1: the host a\.hosts\.test stands under hosts\.test already: remove one/,
    ],
    [
      'a name of more than 253 characters',
      { domains: [{ name: 'hosts.test', hosts: [long] }] },
      /domains\.0\.hosts\.0: is not a host name: .*253/,
    ],
    [
      'a challenge that nobody answers',
      { domains: [{ name: 'alpn.test', challenge: 'tls-alpn-01' }] },
      /domains\.0\.challenge: tls-alpn-01 needs a listener: add "tlsAlpn01"/,
    ],
    [
      'a secret where it would be shown',
      { resolvers: [{ env: 'PATH' }] },
      /resolvers\.0: is no secret and may be shown, .* write the value itself/,
    ],
    [
      'a secret file that is not there',
      { notifiers: { hook: { notifier: 'webhook', url: 'https://a.test', secret: { file: 'none' } } } },
      /notifiers\.hook\.secret: .*none/,
    ],
    [
      'a path of certificates that is not absolute',
      { deployTargets: { web: { target: 'files', path: './certificates' } } },
      /deployTargets\.web\.path: must be an absolute path/,
    ],
  ];

  const commands = ['start', 'check', 'certs list'];
  /** All commands read the file alike: each mistake alone is shown to one of them, all together to each. */
  const alone = mistakes.map(([what, config, words], index) => {
    const command = commands[index % commands.length] ?? '';
    return [what, command, config, words] as const;
  });

  it.each(alone)('%s, by %s: one line, exit code 2, nothing made', async (_, command, config, words) => {
    const site = await agentSite({ issuers: { none: noCa }, ...config });
    const before = readdirSync(site.folder);
    const answer = await site.run(...command.split(' '));
    expect(answer.code).toBe(2);
    expectOneLine(answer, words);
    expect(answer.stderr).toMatch(/acme-agent\.yaml:\d+: /);
    expectNothingLeft(site, before);
  });

  it.each(commands)('are told all at once, one a line, by %s', async (command) => {
    const together = Object.assign({}, ...mistakes.map(([, config]) => config), {
      domains: mistakes.flatMap(([, config]) => ('domains' in config ? config.domains : [])),
    });
    const site = await agentSite({ issuers: { none: noCa }, ...together });
    const before = readdirSync(site.folder);
    const { code, stdout, stderr } = await site.run(...command.split(' '));
    const [head, ...lines] = stderr.trimEnd().split('\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    // Two domains have one name, which is a mistake of its own.
    expect(head).toMatch(/^acme-agent: 10 mistakes in the configuration\. .*then run "acme-agent check"\.$/);
    expect(lines).toHaveLength(10);
    for (const line of lines) expect(line).toMatch(/^ {2}\/.*acme-agent\.yaml:\d+: [\w.]+: .+/);
    for (const [, , words] of mistakes)
      expect(lines).toContainEqual(
        expect.stringMatching(words.source.replace('domains\\.0', 'domains\\.\\d')),
      );
    expectNothingLeft(site, before);
  });
});

describe.concurrent('the start is refused, and leaves nothing behind', () => {
  async function refused(site: AgentSite, code: number, words: RegExp): Promise<void> {
    const before = readdirSync(site.folder);
    const answer = await site.run('start');
    expectOneLine(answer, words);
    expect(answer.code).toBe(code);
    expectNothingLeft(site, before);
  }

  /** Quiet, so that a refusal is the only thing on the screen. */
  async function quietSite(config: object): Promise<AgentSite> {
    return agentSite({ issuers: { none: noCa }, log: { level: 'error' }, ...config });
  }

  it('with a master key that others may read', async () => {
    const site = await quietSite({ masterKey: { file: 'master.key' } });
    writeFileSync(join(site.folder, 'master.key'), `${'ab'.repeat(32)}\n`);
    chmodSync(join(site.folder, 'master.key'), 0o644);
    await refused(site, 2, /others may read the master key file \/.*\. Run chmod 600 \/.*\.$/m);
  });

  it('with a master key of another size', async () => {
    const site = await quietSite({ masterKey: { file: 'master.key' } });
    writeFileSync(join(site.folder, 'master.key'), 'c2hvcnQ=\n', { mode: 0o600 });
    await refused(
      site,
      2,
      /is not 32 bytes as hex or base64\. .* make one with: openssl rand -base64 32\.$/m,
    );
  });

  it('with a master key that cannot be read', async () => {
    const site = await quietSite({ masterKey: { file: 'master.key' } });
    mkdirSync(join(site.folder, 'master.key'), { mode: 0o700 });
    await refused(site, 2, /the master key file \/.* cannot be read \(EISDIR\)/);
  });

  it('with Redis down, which is not logged as well', async () => {
    const redis = { url: `redis://127.0.0.1:${await freePort()}` };
    const site = await quietSite({ redis, log: { level: 'info' } });
    await refused(site, 3, /does not serve: .*ECONNREFUSED.*Check that Redis runs and that the URL/);
  });

  it('with a Redis that may throw keys away', async (test) => {
    const keep = keepFor(test);
    const redis = keep(await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] }));
    const site = await quietSite({ redis: { url: redis.url } });
    await refused(site, 1, /may throw keys away: .*Set maxmemory-policy noeviction on this Redis\./);
    expect(await redis.cli('DBSIZE')).toBe(0);
  });

  it('with another master key than the store was made with, and its Redis is stopped again', async (test) => {
    const keep = keepFor(test);
    const site = await quietSite({ log: { level: 'info' } });
    const agent = keep(await site.start());
    expect(processesOf(site)).toContainEqual(expect.stringContaining('redis.sock'));
    await agent.stop(20_000);
    writeFileSync(join(site.folder, 'data', 'master.key'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const answer = await site.run('start');
    expect(answer.stderr).toMatch(
      /\nacme-agent: the store at .* was made with the master key [0-9a-f]{8}, this one is [0-9a-f]{8}\. Give this agent the store's master key .*\.\n$/,
    );
    expect(answer.code).toBe(2);
    expect(processesOf(site)).toEqual([]);
  });

  it('with no Redis program', async () => {
    const site = await quietSite({ redis: { serverPath: '/no/such/redis-server' } });
    await refused(site, 2, /\/no\/such\/redis-server is not a program.*Install Redis/);
  });

  it('with the port for HTTP-01 taken', async (test) => {
    const keep = keepFor(test);
    const other = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    keep({ stop: async () => other.close() });
    const site = await quietSite({ http01: { port, address: '127.0.0.1' } });
    await refused(
      site,
      2,
      /cannot listen on port \d+ of 127\.0\.0\.1: another program has it; stop that one/,
    );
  });

  it('with a data directory, or a master key, where no folder can be', async (test) => {
    const keep = keepFor(test);
    const site = await quietSite({ dataDir: '/proc/none' });
    const words =
      'the data directory /proc/none cannot be made: its file system takes no folders. Choose another';
    await refused(site, 2, new RegExp(words));
    // A CA that is not there would be waited for.
    site.configure({ issuers: { pebble: issuerAt(keep(await startPebble())) }, dataDir: '/proc/none' });
    expect((await site.run('check')).stdout).toMatch(new RegExp(`^FAILED {2}data directory: ${words}`, 'm'));
    const key = await quietSite({ masterKey: { file: '/proc/none/master.key' } });
    await refused(key, 2, /the master key file \/proc\/none\/master\.key cannot be written/);
  });

  it('with a data directory that others may enter, or that is a file', async () => {
    const open = await quietSite({});
    mkdirSync(join(open.folder, 'data'), { mode: 0o755 });
    await refused(open, 2, /can be entered or written by others\. Run chmod 700 \/.*\.$/m);
    const file = await quietSite({});
    writeFileSync(join(file.folder, 'data'), '');
    await refused(file, 2, /is not a directory\. Move it, or choose another dataDir\.$/m);
    const nowhere = await quietSite({});
    symlinkSync(join(nowhere.folder, 'none'), join(nowhere.folder, 'data'));
    await refused(nowhere, 2, /is a link that leads nowhere\. Make the folder that it leads to, /);
  });
});

describe('without an agent', () => {
  it('commands say that it does not run, make nothing and start nothing', async () => {
    const site = await agentSite({ issuers: { none: noCa } });
    const before = readdirSync(site.folder);
    for (const command of ['certs list', 'renew-all', 'why h0.hosts.test']) {
      const answer = await site.run(...command.split(' '));
      expect(answer.code, command).toBe(3);
      expect(answer.stderr).toMatch(
        /^acme-agent: no agent runs on the data directory \/[^\n]*\. Start it with "acme-agent start"\./,
      );
    }
    expectNothingLeft(site, before);
  });

  it('on a Redis that no agent has used they write nothing there either', async (test) => {
    const keep = keepFor(test);
    const redis = keep(await startRedis());
    const site = await agentSite({ issuers: { none: noCa }, redis: { url: redis.url } });
    const before = readdirSync(site.folder);
    const answer = await site.run('certs', 'list');
    expect(answer.code).toBe(3);
    expect(answer.stderr).toMatch(/^acme-agent: no agent has run on this Redis yet\. .*"acme-agent start"\./);
    expectNothingLeft(site, before);
    expect(await redis.cli('DBSIZE')).toBe(0);
  });
});
