import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { deployed, hostNames, hostsConfig, hostsSite, issued, issuerAt, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();

/** One issuer under one name, whatever CA that is. */
function configAt(site: AgentSite, pebble: TestPebble): object {
  const config = { issuers: { ca: issuerAt(pebble) } };
  return hostsConfig(site, { pebble, hosts: hostNames(1), config });
}

it('an issuer whose directory is replaced under its name orders anew at the other CA, once', async () => {
  const [staging, production] = [keep(await startPebble()), keep(await startPebble())];
  const site = await hostsSite({ pebble: staging, hosts: [] });
  site.configure(configAt(site, staging));
  const first = await site.start();
  const before = await issued(site, hostNames(1));
  await first.stop(20_000);
  site.configure(configAt(site, production));
  const second = keep(await site.start());
  const after = await issued(site, hostNames(1), { before });
  expect(after).not.toEqual(before);
  await second.stop(20_000);
  // The same file again: all is as wanted.
  const third = keep(await site.start());
  const rows = await site.json('certs', 'list');
  expect(JSON.stringify(rows)).toContain([...after.values()][0]?.toLowerCase());
  expect(third.output()).not.toContain('order created');
});

it('a target that left the file is replaced by the defaults at SIGHUP, and check says so', async () => {
  const pebble = keep(await startPebble());
  const site = await hostsSite({ pebble, hosts: [] });
  const web = { target: 'files', path: join(site.folder, 'certificates') };
  const old = { target: 'files', path: join(site.folder, 'old') };
  const config = (deployTargets: object) =>
    hostsConfig(site, {
      pebble,
      hosts: hostNames(1),
      config: { deployTargets, defaults: { deploy: ['web'] } },
    });
  site.configure(config({ web, old }));
  const agent = keep(await site.start());
  const add = ['runtime.test', '--mode', 'individual', '--challenge', 'http-01', '--deploy', 'old'];
  await site.json('domains', 'add', ...add, '--hosts', 'a.runtime.test');
  expect((await site.ask('check')).code).toBe(0);
  expect(deployed(site, 'a.runtime.test', 'runtime.test')).toBeUndefined();
  site.configure(config({ web }));
  process.kill(agent.pid, 'SIGHUP');
  await issued(site, ['a.runtime.test'], { domain: 'runtime.test' });
  expect(agent.output()).toMatch(/runtime\.test.*deploy target \\"old\\".*does not define/);
  const { code, stdout } = await site.ask('check');
  expect(code).not.toBe(0);
  expect(stdout).toMatch(
    /FAILED +domain runtime\.test: names what the file does not define: deploy target "old"/,
  );
});

it('a target with another path gets its certificates there at SIGHUP, not at the next renewal', async () => {
  const pebble = keep(await startPebble());
  const site = await hostsSite({ pebble, hosts: [] });
  const [host = ''] = hostNames(1);
  const config = (folder: string) =>
    hostsConfig(site, {
      pebble,
      hosts: [host],
      config: { deployTargets: { web: { target: 'files', path: join(site.folder, folder) } } },
    });
  site.configure(config('before'));
  const agent = keep(await site.start());
  await until('it is at the old place', () => /"source":"acme".*certificate deployed/.test(agent.output()));
  site.configure(config('certificates'));
  process.kill(agent.pid, 'SIGHUP');
  await issued(site, [host], { timeoutMs: 90_000 });
}, 150_000);
