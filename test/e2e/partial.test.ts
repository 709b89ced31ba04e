import { expect, it } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { accepted, deployed, hostsSite, issued, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();
const [good, bad] = ['good.hosts.test', 'bad.hosts.test'] as const;

it('a name that cannot be validated is left out of its certificate, which others have meanwhile, and joins it when it can', async () => {
  const pebble = keep(await startPebble({ nonceReject: 0 }));
  const proxy = keep(await proxyBefore(pebble));
  // Nobody answers there.
  await pebble.dns?.addA(bad, ['127.0.0.99']);
  const site = await hostsSite({ pebble, proxy, hosts: [], config: { domains: [] } });
  keep(await site.start());
  await site.json('domains', 'add', 'hosts.test', '--mode', 'custom', '--partial');
  await site.json('issue', good, bad);
  const before = await issued(site, [good]);
  expect(deployed(site, good)?.names).toBe(`DNS:${good}`);
  const leftOut =
    /^bad\.hosts\.test is not on its certificate since .*connection refused\.\nWhat to do: .*\nIt is tried again at/;
  expect((await site.ask('why', bad)).stdout).toMatch(leftOut);
  const ordered = proxy.calls.flatMap(({ kind, payload, status }) =>
    kind === 'newOrder' && status === 201
      ? [(payload as { identifiers: readonly { value: string }[] }).identifiers.map(({ value }) => value)]
      : [],
  );
  expect(ordered).toEqual([[good, bad], [good]]);

  await pebble.dns?.post('clear-a', { host: `${bad}.` });
  const retried = await site.ask('retry', good, '--wait');
  expect(retried, retried.stderr).toMatchObject({ code: 0 });
  await issued(site, [good], { before });
  expect(deployed(site, good)?.names.split(', ').toSorted()).toEqual([`DNS:${bad}`, `DNS:${good}`]);
  expect(accepted(proxy, 'newOrder')).toBe(3);
  expect((await site.ask('why', bad)).stdout).not.toMatch(leftOut);
}, 90_000);
