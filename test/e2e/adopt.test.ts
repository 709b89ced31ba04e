import { expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { hostNames, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();

it('a store that begins anew takes over what its targets still have, and orders nothing', async () => {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis());
  const hosts = hostNames(2);
  const site = await hostsSite({ pebble, proxy, hosts, config: { redis: { url: redis.url } } });
  const first = await site.start();
  const before = await issued(site, hosts);
  await first.stop(20_000);
  await redis.cli('FLUSHALL');

  const refused = await site.run('start');
  expect(refused.stderr).toContain('start --accept-empty-store');
  expect(refused.code).toBe(1);

  const second = keep(await site.start({ args: ['--accept-empty-store'] }));
  expect(second.output().match(/certificate taken over from its target/g)).toHaveLength(2);
  await until('both are seen at their target', async () => {
    const { stdout } = await site.ask('certs', 'list');
    return stdout.match(/ ok\b/g)?.length === 2;
  });
  expect(await issued(site, hosts)).toEqual(before);
  expect(proxy.counts().newOrder).toBe(2);

  const renewal = await site.ask('renew-all', '--force', '--wait');
  expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
  await issued(site, hosts, { before });
});
