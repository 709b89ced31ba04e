import { expect, it } from 'vitest';
import { adoptFile, misfits } from '../../../src/core/wishes/file-wishes.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { raw } from '../../store/agents.ts';
import { eachWorld } from '../each-world.ts';
import { aDomain, aHost, day, hour, minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const hosts = ['api.example.com', 'www.example.com'];
const api = 'example.com/api.example.com/ec';

/** As a disk, or a hand, may leave it; `key` without the prefix. */
async function damage(key: string, field: string): Promise<void> {
  const name = `${world.store.queuePrefix.slice(0, -1)}${key}`;
  await raw(world.store, async (client) => {
    expect(await client.hexists(name, field)).toBe(1);
    await client.hset(name, field, '{"linea');
  });
}

const held = (id: string) => world.store.certificates.certificate(id);
const warnings = () => world.log.filter((line) => line.includes('damaged'));

it('a damaged renewal state counts as one of which nothing is known: it is named once, and renewed in time', async () => {
  await world.want({}, hosts);
  await world.live(hour);
  await damage('renewals', www);
  await world.want({}, [...hosts, 'new.example.com']);
  await world.live(minute);
  expect(await held('example.com/new.example.com/ec')).toBeDefined();
  expect(warnings()).toEqual([expect.stringContaining(`the renewal state of ${www}`)]);
  await world.live(62 * day);
  expect(await held(www)).toMatchObject({ generation: 2 });
  expect((await world.store.renewals.get(www)).renewAt).toBeGreaterThan(world.clock.now());
});

it('a damaged lineage goes on as its certificate was ordered', async () => {
  await world.want({}, hosts);
  await world.live(hour);
  await damage(`lineage:${www}`, 'r');
  expect(await world.store.certificates.lineages('example.com')).toHaveLength(4);
  await world.live(62 * day);
  expect(await held(www)).toMatchObject({ generation: 2, names: ['www.example.com'] });
  await world.want({ keyTypes: ['p384'] }, hosts);
  await world.live(minute);
  expect(await held(www)).toMatchObject({ generation: 3, keyType: 'p384' });
});

it('a damaged certificate is ordered anew, and what is served stays until then', async () => {
  await world.want({}, hosts);
  await world.live(hour);
  const before = await held(www);
  await damage(`lineage:${www}`, 'f1');
  await world.handle('deploy', `web|${www}`);
  expect(world.web.shows(www)?.certificate.fingerprint).toBe(before?.fingerprint);
  await world.renew();
  await world.live(minute);
  expect(await held(www)).toMatchObject({ generation: 2 });
  expect(world.web.shows(www)?.certificate.generation).toBe(2);
});

it('a damaged deployment is made anew', async () => {
  await world.want({}, hosts);
  await world.live(hour);
  await damage(`deployments:${www}`, 'web');
  await world.handle('deploy', `web|${www}`);
  expect(await world.store.deployments.get('web', www)).toMatchObject({ failures: 0, observed: {} });
});

it('a damaged order under way is given up for a new one', async () => {
  world.first.ways.validationMs = hour;
  await world.want({}, hosts);
  await world.live(minute);
  await damage('issuances', www);
  world.first.ways.validationMs = 1000;
  await world.live(hour);
  expect(await held(www)).toBeDefined();
  expect(await held(api)).toBeDefined();
});

it('a damaged host is wanted as before; a damaged domain is written anew by whoever says it', async () => {
  const file = { kind: 'file', line: 7 } as const;
  const domain = aDomain({ mode: 'individual', deploy: ['web'], origin: file });
  const wish = { domain, hosts: hosts.map((name) => ({ ...aHost(name), origin: file })) };
  await world.run(adoptFile([wish], world.needs));
  await world.live(minute);
  await damage('hosts:example.com', 'www.example.com');
  await damage('domains', 'example.com');
  await world.run(adoptFile([wish], world.needs));
  expect((await world.store.wishes.hosts('example.com')).map(({ origin }) => origin)).toEqual([file, file]);
  expect((await world.store.wishes.domain('example.com'))?.origin).toEqual(file);
  await world.live(minute);
  expect(await held(www)).toMatchObject({ generation: 1 });
  expect((await world.store.certificates.lineage(www))?.unwantedSince).toBeUndefined();
});

it('what cannot be made anew is named, and keeps nobody else: neither at start nor at a change of another domain', async () => {
  await world.want({}, hosts);
  const group = { domain: 'example.com', label: 'shop', names: hosts, origin: { kind: 'runtime' as const } };
  await world.run(changeWishes('example.com', () => ({ putGroups: [group] }), world.needs));
  const other = aDomain({ name: 'example.net', mode: 'individual' });
  await damage('groups:example.com', 'shop');
  await damage('domains', 'example.com');
  const hostsOfOther = [aHost('www.example.net', 'example.net')];
  await world.run(
    adoptFile(
      [
        { domain: other, hosts: hostsOfOther },
        { domain: aDomain({ mode: 'individual' }), hosts: [] },
      ],
      world.needs,
    ),
  );
  await world.renew('example.net/www.example.net/ec');
  expect(await held('example.net/www.example.net/ec')).toBeDefined();
  expect(world.log.filter((line) => line.includes('the group example.com/shop'))).toHaveLength(1);
  const found = await misfits([{ domain: aDomain(), hosts: [] }], world.needs);
  expect(found).toMatchObject([{ domain: 'example.com', error: { code: 'store.record' } }]);
  const change = changeWishes('example.com', () => ({ putHosts: [] }), world.needs);
  await expect(world.run(change)).rejects.toMatchObject({ code: 'store.record' });
});
