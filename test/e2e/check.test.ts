import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aclRulesFor } from '../../src/store/acl.ts';
import { type AgentSite, agentSite, main } from '../support/agent.ts';
import { canary } from '../support/canaries.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { hostNames, hostsConfig, hostsSite, issued, issuerAt, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();

interface Answer {
  readonly code: number;
  /** What was said of each thing: `ok …`, or `warn …` and `FAILED …` with the advice; several with a bar between. */
  readonly said: Readonly<Record<string, string>>;
}

async function check(site: AgentSite): Promise<Answer> {
  const { code, stdout, stderr } = await site.run('check');
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n');
  const said: Record<string, string> = {};
  for (const line of lines) {
    const [, state, name = line, text] = /^(ok|warn|FAILED) +(.+?): (.*)$/.exec(line) ?? [];
    said[name] = [...(said[name] === undefined ? [] : [said[name]]), `${state} ${text}`].join(' | ');
  }
  return { code, said };
}

/** A site with nothing but an issuer that is not there, so that the rest can be looked at. */
async function siteWith(config: object): Promise<AgentSite> {
  const pebble = keep(await startPebble());
  return hostsSite({ pebble, hosts: hostNames(1), config });
}

describe('acme-agent check', () => {
  it('finds all well before the first start, and leaves nothing behind', async () => {
    const pebble = keep(await startPebble());
    const site = await hostsSite({ pebble, hosts: hostNames(1) });
    const before = readdirSync(site.folder);
    const { code, said } = await check(site);
    expect(said).toEqual({
      configuration: `ok ${site.configFile}, 1 domain, 1 issuer`,
      'data directory': `ok ${site.folder}/data will be made at the first start`,
      'master key': `ok ${site.folder}/data/master.key is not there; a new key will be made at the first start`,
      redis: expect.stringMatching(
        /^ok not running; "acme-agent start" will start \/.*-server \d+\.\d+\.\d+, which then evicts nothing and syncs every write$/,
      ),
      'listener http01': `ok port ${pebble.httpPort} of 127.0.0.1`,
      'issuer pebble': expect.stringContaining(`ok ${pebble.directoryUrl}, profiles `),
      'deploy target web': 'ok ready',
    });
    expect(code).toBe(0);
    expect(readdirSync(site.folder)).toEqual(before);
    const pebbleLog = pebble.output();
    expect(pebbleLog).not.toContain('/sign-me-up');
  });

  it('looks into the store of an agent that runs, and sees that its key file is gone', async () => {
    const pebble = keep(await startPebble());
    const hosts = hostNames(1);
    const site = await hostsSite({ pebble, hosts });
    const agent = keep(await site.start());
    await issued(site, hosts);
    const well = await check(site);
    expect(well.said).toMatchObject({
      'data directory': `ok ${site.folder}/data, mode 700`,
      'master key': expect.stringMatching(/^ok \/.*\/data\/master\.key, key [0-9a-f]{8}$/),
      redis: expect.stringMatching(
        /^ok \w+ [\d.]+ at .*redis\.sock, maxmemory-policy noeviction, syncs every write .*, store [0-9a-f]{32}$/,
      ),
    });
    expect(well.code).toBe(0);
    rmSync(join(site.folder, 'data', 'master.key'));
    const robbed = await check(site);
    expect(robbed.said['master key']).toMatch(/^FAILED .*is missing, but the store was made with one/);
    expect(robbed.code).toBe(1);
    await agent.stop(20_000);
    expect((await check(site)).said['master key']).toBe(robbed.said['master key']);
    expect(existsSync(join(site.folder, 'data', 'master.key'))).toBe(false);
  });

  it('says everything that is wrong at once, each with its remedy', async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const [host, port] = nowhere.split(':');
    const password = canary();
    const stranger = keep(await startPebble());
    const site = await siteWith({
      redis: { url: `redis://${nowhere}` },
      issuers: {
        away: { directory: `https://${nowhere}/dir`, agreeToTerms: true },
        untrusted: { directory: stranger.directoryUrl, agreeToTerms: true },
      },
      defaults: { issuers: ['away'] },
      deployTargets: {
        web: { target: 'files', path: '/etc/hosts', owner: 'no-such-user', reload: ['no-such-program'] },
      },
      dnsAccounts: {
        program: { provider: 'exec', command: ['/no/such/program'] },
        zones: { provider: 'challtestsrv', zones: ['zone.test'], url: `http://${nowhere}`, dns: nowhere },
      },
      notifiers: {
        mail: {
          notifier: 'email',
          host,
          port: Number(port),
          tls: 'none',
          from: 'agent@example.test',
          to: [],
        },
        hook: { notifier: 'webhook', url: `http://${nowhere}/${password}`, secret: password },
      },
    });
    mkdirSync(join(site.folder, 'data'), { mode: 0o755 });
    writeFileSync(join(site.folder, 'data', 'master.key'), 'short\n', { mode: 0o600 });
    const { code, said } = await check(site);
    expect(code).toBe(1);
    const wrong = (text: string) => expect.stringMatching(new RegExp(`^FAILED .*${text}.*\\.$`));
    expect(said).toEqual({
      configuration: `ok ${site.configFile}, 1 domain, 2 issuers`,
      'data directory': wrong('can be entered or written by others\\. Run chmod 700 /'),
      'master key': wrong('is not 32 bytes as hex or base64\\. Give .*openssl rand -base64 32'),
      redis: wrong(`redis://${nowhere} does not serve: .*ECONNREFUSED.*Check that Redis runs`),
      'issuer untrusted': wrong('is not trusted: .* name its root under "trust" of the issuer'),
      'DNS account program': wrong('/no/such/program is not there, or may not be run.*"command"'),
      'issuer away': wrong(`${nowhere} did not answer.*Check that this machine reaches the CA`),
      'DNS account zones': wrong('.*ECONNREFUSED.*'),
      'listener http01': expect.stringMatching(/^ok port /),
      'deploy target web': wrong(
        '/etc/hosts: is not a directory.* \\| FAILED this machine has no user "no-such-user".* \\| FAILED the program no-such-program of the reload',
      ),
      'notifier mail': wrong(`the mail server ${nowhere} cannot be used: .*ECONNREFUSED`),
      'notifier hook': wrong(`the webhook hook is not reached: http://${nowhere}.*ECONNREFUSED`),
    });
    expect(JSON.stringify(said)).not.toContain(password);
  });
});

describe('acme-agent check warns, and ends with 0,', () => {
  it('of what works and is not as one would expect', async () => {
    const redis = keep(await startRedis({ args: ['--appendonly', 'no'] }));
    const site = await siteWith({
      redis: { url: redis.url, durability: 'relaxed' },
      http01: { port: await freePort(), address: '::1' },
      domains: [
        { name: 'empty.test', mode: 'individual', hosts: [] },
        { name: 'asked.test', mode: 'custom' },
        { name: 'full.test', mode: 'individual', hosts: ['a.full.test'] },
      ],
    });
    const { code, said } = await check(site);
    expect(said).toMatchObject({
      redis: expect.stringMatching(/^ok .* \| warn a crash may lose the last second.*Set appendonly yes/),
      'listener http01': expect.stringMatching(/^warn port \d+ of ::1: a CA that comes by IPv4 is not/),
      'domain empty.test': 'warn has no host, so it has no certificate. Add its hosts, or remove it.',
      'domain asked.test': expect.stringMatching(
        /^warn .*mode custom makes none.* Upload one with "acme-agent certs add FILE", or .*"acme-agent issue NAME"/,
      ),
    });
    expect(said['domain full.test']).toBeUndefined();
    expect(code).toBe(0);
  });

  it('of a file that the agent which runs has not taken yet', async () => {
    const pebble = keep(await startPebble());
    const site = await hostsSite({ pebble, hosts: hostNames(1) });
    keep(await site.start());
    expect((await check(site)).said.agents).toBe('ok the agent that runs here: with this configuration');
    site.configure(hostsConfig(site, { pebble, hosts: hostNames(2) }));
    const { code, said } = await check(site);
    expect(said.agents).toMatch(/^warn the agent that runs here: with another configuration.*SIGHUP/);
    expect(code).toBe(0);
  });
});

describe('of Redis, acme-agent check', () => {
  async function redisWords(redis: TestRedis, settings: object = {}): Promise<string> {
    const site = await siteWith({ redis: { url: redis.url, ...settings } });
    const { said } = await check(site);
    expect(existsSync(join(site.folder, 'data'))).toBe(false);
    expect(await redis.cli('DBSIZE')).toBe(0);
    return said.redis ?? '';
  }

  it('says version, eviction policy and durability, and writes nothing', async () => {
    const redis = keep(await startRedis());
    expect(await redisWords(redis)).toMatch(
      /^ok redis \d+\.\d+\.\d+ at redis:\/\/127.*, maxmemory-policy noeviction, syncs every write \(appendfsync always\), no store yet$/,
    );
  });

  it('refuses what is not Redis', async () => {
    const stranger = createServer((socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void stranger.close());
    const address = stranger.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const site = await siteWith({ redis: { url: `redis://127.0.0.1:${port}` } });
    expect((await check(site)).said.redis).toMatch(/^FAILED what answers at redis:.*:\d+ is not Redis\. /);
  });

  it('refuses one that may throw keys away', async () => {
    const redis = keep(await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] }));
    expect(await redisWords(redis)).toMatch(
      /^FAILED .*its maxmemory-policy is allkeys-lru\. Set maxmemory-policy noeviction on this Redis\.$/,
    );
  });

  it('refuses one that may lose acknowledged writes, unless the file accepts that', async () => {
    const redis = keep(await startRedis({ args: ['--appendonly', 'no'] }));
    expect(await redisWords(redis)).toMatch(/^FAILED .*appendonly is no.*accept the risk/);
    expect(await redisWords(redis, { durability: 'relaxed' })).toContain('a crash may lose the last second');
  });

  it('tells a user without the right to CONFIG that nobody can say how it syncs, unless the file accepts that', async () => {
    const user = { name: 'agent', password: canary() };
    const redis = keep(await startRedis({ valkey: true, args: ['--appendfsync', 'everysec'] }));
    const rules = aclRulesFor('{acme}', ['config|get']).split(' ');
    await redis.cli('ACL', 'SETUSER', user.name, `>${user.password}`, ...rules);
    const login = { username: user.name, password: user.password };
    expect(await redisWords(redis, login)).toMatch(
      /^FAILED .*cannot be asked how it writes to disk: CONFIG GET is forbidden to this user/,
    );
    expect(await redisWords(redis, { ...login, durability: 'relaxed' })).toMatch(
      /^ok valkey .*maxmemory-policy noeviction, .*, this user may not use CONFIG GET/,
    );
  });
});

describe('for a user without special rights, acme-agent check', () => {
  it('does not take an agent of another user for one that does not run', async () => {
    const pebble = keep(await startPebble());
    const site = await hostsSite({ pebble, hosts: hostNames(1) });
    keep(await site.start());
    const data = join(site.folder, 'data');
    chmodSync(data, 0o000);
    const stdout = await runPlainly([process.execPath, main, '--config', site.configFile, 'check']);
    chmodSync(data, 0o700);
    expect(stdout).toMatch(
      /FAILED {2}redis: user \d+ may not look into the data directory .*Run this command as the user of the agent/,
    );
    expect(stdout).toMatch(/ok {6}listener http01: /);
  });

  it('says what that user may not write', async () => {
    const pebble = keep(await startPebble());
    const site = await agentSite({});
    const closed = join(site.folder, 'closed');
    mkdirSync(closed);
    site.configure({
      dataDir: join(closed, 'data'),
      issuers: { pebble: issuerAt(pebble) },
      deployTargets: { web: { target: 'files', path: join(closed, 'certificates') } },
    });
    chmodSync(closed, 0o500);
    const stdout = await runPlainly([process.execPath, main, '--config', site.configFile, 'check']);
    expect(stdout).toMatch(
      /FAILED {2}data directory: .*may not be made or written by user \d+\. Give it to that user/,
    );
    expect(stdout).toMatch(/FAILED {2}deploy target web: .*give it the right to write there/);
  });
});

/** Root is stripped of what makes it more than the owner of its files. */
function runPlainly(command: readonly string[]): Promise<string> {
  const isRoot = process.geteuid?.() === 0;
  const [program = '', ...args] = isRoot
    ? ['setpriv', '--inh-caps=-all', '--bounding-set=-all', ...command]
    : command;
  return new Promise((resolve) => {
    execFile(program, args, (_error, stdout) => resolve(stdout));
  });
}
