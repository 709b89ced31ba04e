import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type AgentSite, agentSite, type CliResult } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { allProcesses } from '../support/proc.ts';
import { until } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { deployed, hostNames, hostsSite, issued, issuerAt } from './given.ts';

const running: { stop(): Promise<unknown> }[] = [];

function keep<T extends { stop(): Promise<unknown> }>(one: T): T {
  running.push(one);
  return one;
}

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

const hosts = hostNames(1);
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

describe('mistakes in the configuration file', () => {
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

  it.each(mistakes)('%s: one line, exit code 2, nothing made', async (_, config, words) => {
    const site = await agentSite({ issuers: { none: noCa }, ...config });
    const before = readdirSync(site.folder);
    for (const command of ['start', 'check', 'certs list']) {
      const answer = await site.run(...command.split(' '));
      expect(answer.code).toBe(2);
      expectOneLine(answer, words);
      expect(answer.stderr).toMatch(/acme-agent\.yaml:\d+: /);
    }
    expectNothingLeft(site, before);
  });

  it('are told all at once, one a line', async () => {
    const together = Object.assign({}, ...mistakes.map(([, config]) => config), {
      domains: mistakes.flatMap(([, config]) => ('domains' in config ? config.domains : [])),
    });
    const site = await agentSite({ issuers: { none: noCa }, ...together });
    const { code, stderr } = await site.run('start');
    const [head, ...lines] = stderr.trimEnd().split('\n');
    expect(code).toBe(2);
    // Two domains have one name, which is a mistake of its own.
    expect(head).toMatch(/^acme-agent: 8 mistakes in the configuration\. .*then run "acme-agent check"\.$/);
    expect(lines).toHaveLength(8);
    for (const line of lines) expect(line).toMatch(/^ {2}\/.*acme-agent\.yaml:\d+: [\w.]+: .+/);
  });
});

describe('before anything is made, the start is refused', () => {
  async function refused(site: AgentSite, code: number, words: RegExp): Promise<void> {
    const before = readdirSync(site.folder);
    const answer = await site.run('start');
    const ours = answer.stderr
      .split('\n')
      .filter((line) => !/^ {2,}at |^(Agent)?Error: |^caused by /.test(line));
    expectOneLine({ ...answer, stderr: ours.join('\n') }, words);
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
    await refused(site, 1, /others may read the master key file \/.*; run chmod 600 \//);
  });

  it('with a master key of another size', async () => {
    const site = await quietSite({ masterKey: { file: 'master.key' } });
    writeFileSync(join(site.folder, 'master.key'), 'c2hvcnQ=\n', { mode: 0o600 });
    await refused(site, 1, /must be 32 bytes as hex or base64; make one with: openssl rand -base64 32/);
  });

  it('with a master key that cannot be read', async () => {
    const site = await quietSite({ masterKey: { file: 'master.key' } });
    mkdirSync(join(site.folder, 'master.key'), { mode: 0o700 });
    await refused(site, 2, /the master key file \/.* cannot be read \(EISDIR\)/);
  });

  it('with Redis down', async () => {
    const site = await quietSite({ redis: { url: `redis://127.0.0.1:${await freePort()}` } });
    await refused(site, 3, /does not serve: .*ECONNREFUSED.*Check that Redis runs and that the URL/);
  });

  it('with a Redis that may throw keys away', async () => {
    const redis = keep(await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] }));
    const site = await quietSite({ redis: { url: redis.url } });
    await refused(site, 1, /may throw keys away: .*Set maxmemory-policy noeviction on this Redis\./);
    expect(await redis.cli('DBSIZE')).toBe(0);
  });

  it('with no Redis program', async () => {
    const site = await quietSite({ redis: { serverPath: '/no/such/redis-server' } });
    await refused(site, 1, /\/no\/such\/redis-server is not a program.*Install Redis/);
  });

  it('with the port for HTTP-01 taken', async () => {
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

  it('with a data directory that others may enter, or that is a file', async () => {
    const open = await quietSite({});
    mkdirSync(join(open.folder, 'data'), { mode: 0o755 });
    await refused(open, 2, /can be entered or written by others; run chmod 700 \//);
    const file = await quietSite({});
    writeFileSync(join(file.folder, 'data'), '');
    await refused(file, 2, /is not a directory; move it, or choose another dataDir/);
  });
});

describe('while an agent runs', () => {
  it('a second one on its data directory is refused, and the first goes on', async () => {
    const pebble = keep(await startPebble());
    const site = await hostsSite({ pebble, hosts });
    keep(await site.start());
    await issued(site, hosts);
    const twice = await site.run('start');
    expect(twice.stderr).toMatch(
      /^acme-agent: an agent \(process \d+\) already owns the data directory \/[^\n]*set redis\.url/,
    );
    expect(twice.code).toBe(1);
    expect((await site.run('certs', 'list')).code).toBe(0);
  });

  it('commands that cannot be carried out are refused with what to do instead', async () => {
    const pebble = keep(await startPebble());
    const site = await hostsSite({ pebble, hosts });
    keep(await site.start());
    await issued(site, hosts);
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['hosts ad x.hosts.test', 2, /unknown command 'ad'/],
      ['renw', 2, /unknown command 'renw'.*renew/s],
      ['ack', 2, /missing required argument 'name'/],
      [
        'domains show other.test',
        4,
        /there is no domain other\.test; do you mean hosts\.test\?|domains: hosts\.test/,
      ],
      [
        'hosts add www.other.test',
        4,
        /no domain is configured for www\.other\.test; add it first: "domains add other\.test"/,
      ],
      ['renew www.other.test', 4, /other\.test/],
      ['issue www.other.test', 4, /no domain is configured for www\.other\.test; add it first/],
      [
        'domains set hosts.test --mode wildcard',
        4,
        /defined in the configuration file \(line \d+\); change it there/,
      ],
      ['domains remove hosts.test', 4, /defined in the configuration file \(line \d+\); change it there/],
      ['hosts remove h0.hosts.test', 4, /defined in the configuration file \(line \d+\); change it there/],
      ['ack h0.hosts.test', 4, /nothing fails for h0\.hosts\.test; there is no reminder to silence/],
      ['domains add not_a_name', 2, /name/],
      ['task show t-none', 4, /there is no task/],
    ];
    for (const [line, code, words] of cases) {
      const answer = await site.run(...line.split(' '));
      expect(answer, line).toMatchObject({ code, stderr: expect.stringMatching(words) });
      expect(answer.stdout, line).toBe('');
    }
  }, 120_000);
});

describe('without an agent', () => {
  it('commands say that it does not run, make nothing and start nothing', async () => {
    const site = await agentSite({ issuers: { none: noCa } });
    const before = readdirSync(site.folder);
    for (const command of ['certs list', 'renew-all', 'why h0.hosts.test']) {
      const answer = await site.run(...command.split(' '));
      expect(answer.code, command).toBe(3);
      expect(answer.stderr).toMatch(
        /^acme-agent: no agent runs on the data directory \/.* start it with "acme-agent start"\./,
      );
    }
    expectNothingLeft(site, before);
  });

  it('on a Redis that no agent has used they write nothing there either', async () => {
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

describe('what fails around a running agent is said, and costs no order', () => {
  const web = (site: AgentSite, more: object) => ({
    web: { target: 'files', path: join(site.folder, 'certificates'), ...more },
  });

  function configFor(pebble: TestPebble, config: object): object {
    return {
      http01: { port: pebble.httpPort, address: '127.0.0.1' },
      issuers: { pebble: issuerAt(pebble) },
      domains: [{ name: 'hosts.test', mode: 'individual', challenge: 'http-01', hosts }],
      ...config,
    };
  }

  const said = (site: AgentSite, words: RegExp) =>
    until(
      `why says ${words}`,
      async () => words.test((await site.run('why', hosts[0] ?? '')).stdout),
      60_000,
    );

  it('a CA that is down: the fallback is served, and the certificate comes when the CA is back', async () => {
    const pebble = keep(await startPebble());
    const proxy = keep(await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile }));
    const away = {
      directory: `https://127.0.0.1:${await freePort()}/dir`,
      trust: pebble.caFile,
      agreeToTerms: true,
    };
    const site = await agentSite({});
    site.configure(configFor(pebble, { issuers: { pebble: away }, deployTargets: web(site, {}) }));
    const agent = keep(await site.start());
    await until('the fallback is there', () => deployed(site, hosts[0] ?? '')?.selfSigned === true);
    await said(site, /did not answer.*ECONNREFUSED/s);
    const list = await site.run('certs', 'list');
    expect(list).toMatchObject({ code: 0, stdout: expect.stringMatching(/h0\.hosts\.test.*fail/) });
    const renewal = await site.run('renew', hosts[0] ?? '', '--wait');
    expect(renewal).toMatchObject({ code: 5, stdout: expect.stringMatching(/1 failed/) });
    expect(renewal.stdout).toMatch(/did not answer/);
    await agent.stop();
    site.configure(
      configFor(pebble, { issuers: { pebble: issuerAt(pebble, proxy) }, deployTargets: web(site, {}) }),
    );
    keep(await site.start());
    // The file is mended before the next attempt is due: a person need not wait for it.
    const again = await site.run('renew', hosts[0] ?? '', '--wait');
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    await issued(site, hosts);
    expect(proxy.counts()).toMatchObject({ newOrder: 1 });
  }, 180_000);

  it('a reload program that is missing: the files are there, and one order is all the CA sees', async () => {
    const pebble = keep(await startPebble());
    const proxy = keep(await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile }));
    const site = await agentSite({});
    const issuers = { pebble: issuerAt(pebble, proxy) };
    site.configure(
      configFor(pebble, { issuers, deployTargets: web(site, { reload: ['no-such-program', 'x'] }) }),
    );
    keep(await site.start());
    await issued(site, hosts);
    await said(site, /reload "no-such-program x" of web could not be started: .*no-such-program/s);
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
    const { code, stdout } = await site.run('check');
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED {2}deploy target web: the program no-such-program of the reload/);
  }, 120_000);

  it('a deploy path that is a file: said with the remedy, and one order is all the CA sees', async () => {
    const pebble = keep(await startPebble());
    const proxy = keep(await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile }));
    const site = await agentSite({});
    const path = join(site.folder, 'certificates');
    writeFileSync(path, '');
    const issuers = { pebble: issuerAt(pebble, proxy) };
    site.configure(configFor(pebble, { issuers, deployTargets: web(site, {}) }));
    keep(await site.start());
    await said(
      site,
      /certificates\/.*: something that is not a directory is in the way; move it or choose another path/,
    );
    expect(existsSync(join(site.folder, 'data'))).toBe(true);
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
  }, 120_000);
});
