import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentSite, agentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, until } from '../support/process.ts';
import {
  deployed,
  explained,
  hostNames,
  hostsDomain,
  hostsSite,
  issued,
  issuerAt,
  keepFor,
  proxyBefore,
} from './given.ts';

const hosts = hostNames(1);
const [host = ''] = hosts;

describe.concurrent('while an agent runs', () => {
  let pebble: TestPebble;
  let site: AgentSite;
  let agent: ServerProcess;

  beforeAll(async () => {
    pebble = await startPebble({ nonceReject: 0 });
    site = await hostsSite({ pebble, hosts });
    agent = await site.start();
    await issued(site, hosts);
  });
  afterAll(async () => {
    await agent?.stop();
    await pebble?.stop();
  });

  it('a second one on its data directory is refused, and the first goes on', async () => {
    const twice = await site.run('start');
    expect(twice.stderr).toMatch(
      /^acme-agent: an agent \(process \d+\) already owns the data directory \/[^\n]*set redis\.url/,
    );
    expect(twice.code).toBe(1);
    expect((await site.ask('certs', 'list')).code).toBe(0);
  });

  it.each<readonly [string, number, RegExp]>([
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
  ])('"%s" is refused with what to do instead', async (line, code, words) => {
    const answer = await site.ask(...line.split(' '));
    expect(answer).toMatchObject({ code, stderr: expect.stringMatching(words), stdout: '' });
  });
});

// The first waits for the retries of an agent that does not reach its CA.
describe.concurrent('what fails around a running agent is said, and costs no order', () => {
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

  it('a CA that is down: the fallback is served, and the certificate comes when the CA is back', async (test) => {
    const keep = keepFor(test);
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
    await until('the fallback is there', () => deployed(site, host)?.selfSigned === true);
    await explained(site, host, /did not answer.*ECONNREFUSED/s);
    const list = await site.ask('certs', 'list');
    expect(list).toMatchObject({ code: 0, stdout: expect.stringMatching(/h0\.hosts\.test.*fail/) });
    const renewal = await site.ask('renew', host, '--wait');
    expect(renewal).toMatchObject({ code: 5, stdout: expect.stringMatching(/1 failed/) });
    expect(renewal.stdout).toMatch(/did not answer/);
    await agent.stop();
    site.configure(
      configFor(pebble, { issuers: { pebble: issuerAt(pebble, proxy) }, deployTargets: web(site, {}) }),
    );
    const mended = keep(await site.start());
    // The file is mended before the next attempt is due: a person need not wait for it.
    const again = await site.ask('renew', host, '--wait');
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    await issued(site, hosts);
    expect(proxy.counts(), mended.output()).toMatchObject({ newOrder: 1, finalize: 1 });
  }, 180_000);

  it('a reload program that is missing: the files are there, and one order is all the CA sees', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const site = await agentSite({});
    const issuers = { pebble: issuerAt(pebble, proxy) };
    site.configure(
      configFor(pebble, { issuers, deployTargets: web(site, { reload: ['no-such-program', 'x'] }) }),
    );
    keep(await site.start());
    await issued(site, hosts);
    await explained(site, host, /reload "no-such-program x" of web could not be started: .*no-such-program/s);
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
    const { code, stdout } = await site.ask('check');
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED {2}deploy target web: the program no-such-program of the reload/);
  }, 120_000);

  it('a deploy path that is a file: said with the remedy, and one order is all the CA sees', async (test) => {
    const keep = keepFor(test);
    const pebble = keep(await startPebble({ nonceReject: 0 }));
    const proxy = keep(await proxyBefore(pebble));
    const site = await agentSite({});
    const path = join(site.folder, 'certificates');
    writeFileSync(path, '');
    const issuers = { pebble: issuerAt(pebble, proxy) };
    site.configure(configFor(pebble, { issuers, deployTargets: web(site, {}) }));
    const agent = keep(await site.start());
    await until('it is issued all the same', () => agent.output().includes('certificate issued'));
    await explained(
      site,
      host,
      /certificates\/.*: something that is not a directory is in the way; move it or choose another path/,
    );
    expect(proxy.counts()).toMatchObject({ newOrder: 1, finalize: 1 });
  }, 120_000);
});
