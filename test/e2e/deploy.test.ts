import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { hostNames, hostsConfig, hostsSite, issued, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();

it('a certificate that is issued while its fallback is still being deployed is deployed next', async () => {
  const hosts = hostNames(3);
  const pebble = keep(await startPebble());
  const site = await hostsSite({ pebble, hosts });
  const go = join(site.folder, 'go');
  const reload = ['sh', '-c', `until [ -e ${go} ]; do sleep 0.1; done`];
  const slow = { target: 'files', path: join(site.folder, 'certificates'), reload };
  site.configure(hostsConfig(site, { pebble, hosts, config: { deployTargets: { web: slow } } }));
  const agent = keep(await site.start());
  await until('all are issued', () => agent.output().split('certificate issued').length - 1 === hosts.length);
  expect(agent.output()).not.toContain('certificate deployed');
  writeFileSync(go, '');
  await issued(site, hosts);
});
