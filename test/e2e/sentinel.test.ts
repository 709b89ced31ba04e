import { expect, it } from 'vitest';
import { startSentinel } from '../store/servers.ts';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();

it('a failover by Sentinel in the middle of an order costs neither the order nor what is held', async () => {
  const servers = keep(await startSentinel());
  // A rejected nonce would count as one more call.
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const [host = '', other = ''] = hostNames(2);
  const hosts = [other, host];
  const sentinels = servers.sentinels.map(({ host: at, port }) => `${at}:${port}`);
  const site = await hostsSite({
    pebble,
    proxy,
    hosts,
    config: { redis: { sentinels, sentinelName: 'mymaster' } },
  });
  const agent = keep(await site.start());
  const before = await issued(site, hosts);

  const held = proxy.hold('finalize');
  const asked = await site.ask('renew', host, '--force');
  expect(asked, asked.stderr).toMatchObject({ code: 0 });
  await held.seen;
  await servers.leads(servers.master);
  await servers.master.kill('SIGKILL');
  held.release();
  // What was interrupted comes back with the next tick.
  const after = await issued(site, [host], { before, timeoutMs: 120_000 });
  expect(after.get(host)).not.toBe(before.get(host));
  expect(proxy.counts()).toMatchObject({ newOrder: 3, finalize: 3 });
  const rows = await site.ask('certs', 'list');
  for (const name of hosts) expect(rows.stdout).toContain(name);

  const renewal = await site.ask('renew', other, '--force', '--wait');
  expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
  await issued(site, [other], { before });
  expect(proxy.counts()).toMatchObject({ newOrder: 4, finalize: 4 });

  // Each connection tells of the outage once, whatever the number of attempts.
  expect(agent.output().match(/"level":"warn"[^\n]+connection/g)?.length).toBeLessThan(40);
});

it('an orderly failover costs no command, however soon after it is ordered the command is sent', async () => {
  const servers = keep(await startSentinel());
  const pebble = keep(await startPebble());
  const [host = ''] = hostNames(1);
  const sentinels = servers.sentinels.map(({ host: at, port }) => `${at}:${port}`);
  const config = { redis: { sentinels, sentinelName: 'mymaster' } };
  const site = await hostsSite({ pebble, hosts: [host], config });
  keep(await site.start());
  let before = await issued(site, [host]);
  for (const next of [servers.replica, servers.master]) {
    const wait = until('the replica is promoted', async () =>
      String(await next.cli('ROLE')).startsWith('master'),
    );
    await servers.failover();
    // Sent to the old master, of which the sentinel still says that it is the one.
    await wait;
    const renewal = await site.ask('renew', host, '--force', '--wait');
    expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
    before = await issued(site, [host], { before });
    await servers.leads(next);
  }
});
