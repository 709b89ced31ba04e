import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import {
  deployed,
  hostNames,
  hostsDomain,
  hostsSite,
  issued,
  issuerAt,
  keepUntilEnd,
  proxyBefore,
} from './given.ts';

const keep = keepUntilEnd();

const hosts = hostNames(1);

describe('while an agent runs', () => {
  it('a second one on its data directory is refused, and the first goes on', async () => {
    const pebble = keep(await startPebble({ nonceReject: 0 }));
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
    const pebble = keep(await startPebble({ nonceReject: 0 }));
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
  }, 240_000);
});

describe('what fails around a running agent is said, and costs no order', () => {
  const web = (site: AgentSite, more: object) => ({
    web: { target: 'files', path: join(site.folder, 'certificates'), ...more },
  });

  function configFor(pebble: TestPebble, config: object): object {
    return {
      http01: { port: pebble.httpPort, address: '127.0.0.1' },
      issuers: { pebble: issuerAt(pebble) },
      domains: [hostsDomain(hosts)],
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
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
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
    const mended = keep(await site.start());
    // The file is mended before the next attempt is due: a person need not wait for it.
    const again = await site.run('renew', hosts[0] ?? '', '--wait');
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    await issued(site, hosts);
    expect(proxy.counts(), mended.output()).toMatchObject({ newOrder: 1, finalize: 1 });
  }, 180_000);

  it('a reload program that is missing: the files are there, and one order is all the CA sees', async () => {
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
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
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
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
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
  }, 120_000);
});
