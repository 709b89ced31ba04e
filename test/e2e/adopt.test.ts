import { afterEach, expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { startProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { hostNames, hostsSite, issued } from './given.ts';

const running: { stop(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

function keep<T extends { stop(): Promise<unknown> }>(one: T): T {
  running.push(one);
  return one;
}

it('a store that begins anew takes over what its targets still have, and orders nothing', async () => {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile }));
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
  const listed = await site.run('certs', 'list');
  expect(listed.stdout.match(/ ok\b/g)).toHaveLength(2);
  expect(await issued(site, hosts)).toEqual(before);
  expect(proxy.counts().newOrder).toBe(2);

  const renewal = await site.run('renew-all', '--force', '--wait');
  expect(renewal, renewal.stderr).toMatchObject({ code: 0 });
  await issued(site, hosts, { before });
}, 120_000);
