import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { accepted, hostNames, hostsConfig, hostsSite, issued, keepFor } from './given.ts';
import { sharedStore } from './shared-store.ts';

const otherDomain = {
  name: 'other.test',
  mode: 'individual',
  challenge: 'http-01',
  hosts: ['a.other.test'],
};
const hostsDomain = (hosts: readonly string[]) => ({ ...otherDomain, name: 'hosts.test', hosts });

/** What an agent says when it works. */
const deeds = ['command carried out', 'certificate issued', 'certificate deployed'];

describe.concurrent('a second agent', () => {
  it('with another configuration does no work and says so, until the agents agree', async (test) => {
    const keep = keepFor(test);
    const hosts = hostNames(6);
    const { proxy, site, second } = await sharedStore(keep, hosts);
    const first = keep(await site.start());
    await issued(site, hosts);
    const otherSite = await second({ domains: [otherDomain] });
    const other = keep(await otherSite.start());
    expect(other.output()).toContain('this one does no work until they agree');
    expect((await site.ask('-q', 'domains', 'list')).stdout.trim()).toBe('hosts.test');
    const check = await otherSite.ask('check', '--quiet');
    expect(check.stdout).toMatch(
      /^warn {4}agents: agents disagree, so some do no work; \S+: with another configuration than this file; \S+: with this one\. Give all the same file.*\n$/,
    );
    expect(check.code).toBe(0);
    const renewal = await otherSite.ask('renew-all', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect(accepted(proxy, 'newOrder')).toBe(12);
    for (const deed of deeds) {
      expect(first.output()).toContain(deed);
      expect(other.output()).not.toContain(deed);
    }
    await first.stop();
    await until('it stands alone', () => other.output().includes('agree again'), 60_000);
    await until('its file counts', async () =>
      (await otherSite.ask('-q', 'domains', 'list')).stdout.includes('other.test'),
    );
    const added = await otherSite.ask('hosts', 'add', 'b.other.test');
    expect(added, added.stderr).toMatchObject({ code: 0 });
  });

  it('whose file alone was changed lays down its work at SIGHUP, and takes it up when the other follows', async (test) => {
    const keep = keepFor(test);
    const hosts = hostNames(2);
    const { proxy, site, second } = await sharedStore(keep, hosts);
    const first = keep(await site.start());
    await issued(site, hosts);
    const otherSite = await second();
    const other = keep(await otherSite.start());
    expect(other.output()).not.toContain('another configuration');

    const changed = { domains: [hostsDomain(hosts), otherDomain] };
    otherSite.configure({ ...parse(readFileSync(otherSite.configFile, 'utf8')), ...changed });
    process.kill(other.pid, 'SIGHUP');
    await until('it says so', () => other.output().includes('this one does no work until they agree'));
    const before = accepted(proxy, 'newOrder');
    const renewal = await otherSite.ask('renew-all', '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect(other.output().split('agree').at(-1)).not.toContain('certificate issued');
    expect(accepted(proxy, 'newOrder')).toBe(before + 2);

    site.configure({ ...parse(readFileSync(site.configFile, 'utf8')), ...changed });
    process.kill(first.pid, 'SIGHUP');
    await until('it goes on', () => other.output().includes('agree again'), 60_000);
    expect(first.output()).not.toContain('another configuration');
  });
});

describe.concurrent('an agent that was killed', () => {
  it.for(['its own Redis', 'a Redis of others'])(
    'goes on at once with an edited file, on %s',
    async (kind, test) => {
      const keep = keepFor(test);
      const hosts = hostNames(2);
      const pebble = keep(await startPebble());
      const own = kind === 'its own Redis';
      const config = own ? {} : { redis: { url: keep(await startRedis()).url } };
      const site = await hostsSite({ pebble, hosts: hosts.slice(1), config });
      const first = await site.start();
      await issued(site, hosts.slice(1));
      await first.kill('SIGKILL');
      site.configure(hostsConfig(site, { pebble, hosts, config }));
      const second = keep(await site.start());
      expect(second.output()).not.toContain('another configuration');
      await issued(site, hosts, { timeoutMs: 60_000 });
    },
  );
});

describe.concurrent('start --accept-empty-store', () => {
  it('beside an agent with another configuration waits for it, then takes over what the targets have', async (test) => {
    const keep = keepFor(test);
    const hosts = hostNames(2);
    const { proxy, redis, site, second } = await sharedStore(keep, hosts);
    const first = await site.start();
    const before = await issued(site, hosts);
    await first.stop(20_000);
    await redis.cli('FLUSHALL');
    const other = keep(await (await second({ domains: [{ ...otherDomain, hosts: [] }] })).start());
    const again = keep(await site.start({ args: ['--accept-empty-store'] }));
    expect(again.output()).toContain('this one does no work until they agree');
    expect(again.output()).not.toContain('taken over from its target');
    await other.stop();
    const adopted = () => again.output().match(/certificate taken over from its target/g)?.length === 2;
    await until('it takes over what is there', adopted, 60_000);
    const renewal = await site.ask('renew-all', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    expect([...(await issued(site, hosts))]).toEqual([...before]);
    expect(accepted(proxy, 'newOrder')).toBe(2);
  });
});
