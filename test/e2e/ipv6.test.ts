import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { deployed, hostNames, hostsSite, issued, keepUntilEnd } from './given.ts';

const keep = keepUntilEnd();
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

it.skipIf(!hasIpv6)('a host that has an IPv6 address only is validated there (needs ::1)', async () => {
  const [host = ''] = hostNames(1);
  const pebble = keep(await startPebble());
  await pebble.dns?.post('set-default-ipv4', { ip: '' });
  await pebble.dns?.post('add-aaaa', { host: `${host}.`, addresses: ['::1'] });
  const http01 = { port: pebble.httpPort, address: '::1' };
  const site = await hostsSite({ pebble, hosts: [host], config: { http01 } });
  keep(await site.start());
  await issued(site, [host]);
  expect(deployed(site, host)?.names).toBe(`DNS:${host}`);
});
