import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AgentSite } from '../support/agent.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { deployed, hostNames, hostsConfig, hostsSite, issued, keepUntilEnd } from './given.ts';

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
  const isIssued = () => agent.output().split('certificate issued').length - 1 === hosts.length;
  await until('all are issued', isIssued, 60_000);
  expect(agent.output()).not.toContain('certificate deployed');
  writeFileSync(go, '');
  await issued(site, hosts);
});

it('forty hosts have a fallback while the first reload runs, and one reload more is for all of them', async () => {
  const hosts = hostNames(40);
  const { site, reloads, go } = await siteWithoutCa(hosts);
  const agent = keep(await site.start());
  await until('all are in place', () => hosts.every((host) => deployed(site, host)?.selfSigned), 60_000);
  expect(reloads()).toHaveLength(1);
  expect(deployments(agent.output())).toBe(0);
  go();
  await until('all are observed', () => deployments(agent.output()) >= hosts.length, 60_000);
  expect(reloads().at(-1)).toBe(hosts.length);
  expect(reloads()).toHaveLength(2);
});

it('an agent that is killed between placing and reloading reloads after its restart', async () => {
  const hosts = hostNames(10);
  // Nobody reloads again while the killed one's reload may still run.
  const { site, reloads, go } = await siteWithoutCa(hosts, { reloadTimeout: 10 });
  const agent = keep(await site.start());
  await until('all are in place', () => hosts.every((host) => deployed(site, host) !== undefined));
  await agent.kill('SIGKILL');
  expect(deployments(agent.output())).toBe(0);
  go();
  const next = keep(await site.start());
  await until('all are observed', () => deployments(next.output()) === hosts.length, 120_000);
  // The killed one's, one for what stood there, and at most one more for what was looked at while that ran.
  expect(reloads().length).toBeGreaterThanOrEqual(2);
  expect(reloads().length).toBeLessThanOrEqual(3);
  expect(reloads().at(-1)).toBe(hosts.length);
});

/** Fallbacks only; a reload notes what it finds in place, and does not end before `go`. */
async function siteWithoutCa(
  hosts: readonly string[],
  { reloadTimeout = 60 } = {},
): Promise<{ site: AgentSite; reloads: () => readonly number[]; go: () => void }> {
  const pebble = keep(await startPebble());
  const site = await hostsSite({ pebble, hosts });
  await pebble.stop();
  const path = join(site.folder, 'certificates');
  const mark = join(site.folder, 'go');
  const notes = join(site.folder, 'notes');
  const script = 'ls -1d "$0"/hosts.test/* | wc -l >> "$2"; until [ -e "$1" ]; do sleep 0.1; done';
  const reload = ['sh', '-c', script, path, mark, notes];
  const web = { target: 'files', path, reload, reloadTimeout };
  site.configure(hostsConfig(site, { pebble, hosts, config: { deployTargets: { web } } }));
  return {
    site,
    reloads: () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').map(Number) : []),
    go: () => writeFileSync(mark, ''),
  };
}

/** Certificates that are told to be deployed; one is told of again where its order fails meanwhile. */
function deployments(output: string): number {
  const told = output.matchAll(/"lineage":"([^"]+)".*"certificate deployed"/g);
  return new Set(Array.from(told, ([, lineage]) => lineage)).size;
}
