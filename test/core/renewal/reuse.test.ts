import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { editRenewal } from '../../../src/core/records.ts';
import type { Domain, RenewalState } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { aDomain, aHost, day, hour, minute, t0 } from '../given.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const wild = 'example.com/*.example.com/ec';
const dns = { challenge: 'dns-01', dnsAccount: 'zone', issuers: ['first'] } as const;
const current = (id = www) => world.store.certificates.certificate(id);
const serialOf = async (id = www) => (await current(id))?.serial;
const orders = () => world.first.orders.length + world.second.orders.length;

/** A wildcard certificate is held; from now on each host shall have its own. */
async function afterWildcard(change: Partial<Domain> = {}, hosts = ['www.example.com']): Promise<void> {
  await world.want({ mode: 'wildcard', ...dns }, hosts);
  await world.live(minute);
  expect(orders()).toBe(1);
  const domain = aDomain({ mode: 'individual', deploy: ['web'], ...dns, ...change });
  await world.run(changeWishes('example.com', () => ({ domain }), world.needs));
}

async function edit(id: string, change: Partial<RenewalState>): Promise<void> {
  await editRenewal(id, world.store, (state) => ({ putRenewals: [{ ...state, ...change }] }));
}

describe('a host that was removed and comes back', () => {
  const host = aHost('www.example.com');
  const leave = () => world.run(changeWishes('example.com', () => ({ removeHosts: [host] }), world.needs));
  const comeBack = () => world.run(changeWishes('example.com', () => ({ putHosts: [host] }), world.needs));

  it('has its certificate again while a third of its life is left, without an order', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const serial = await serialOf();
    await leave();
    await world.live(50 * day);
    await comeBack();
    await world.live(hour);
    expect(orders()).toBe(1);
    expect(await serialOf()).toBe(serial);
    expect(world.web.shows(www)?.certificate.serial).toBe(serial);
  });

  it('has a new one with less than that left', async () => {
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await leave();
    await world.live(65 * day);
    await comeBack();
    await world.live(hour);
    expect(orders()).toBe(2);
  });
});

describe('a certificate of a long life', () => {
  it.each([
    [150, 1],
    [220, 2],
  ])(
    '%i days old of 300 is taken by a host only with a third of it left, though its renewal is far off',
    async (age, made) => {
      world.first.ways.lifetimeMs = 300 * day;
      await world.want({ mode: 'wildcard', ...dns }, ['www.example.com']);
      await world.live(age * day);
      const domain = aDomain({ mode: 'individual', deploy: ['web'], ...dns });
      await world.run(changeWishes('example.com', () => ({ domain }), world.needs));
      await world.live(hour);
      expect(orders()).toBe(made);
    },
  );
});

describe('a host without a certificate', () => {
  it('takes the wildcard of its domain that is still held, deploys it, and renews in its own turn', async () => {
    await afterWildcard();
    await world.live(hour);
    expect(orders()).toBe(1);
    const taken = await current();
    expect(taken).toMatchObject({
      generation: 1,
      serial: await serialOf(wild),
      wanted: { names: ['www.example.com'] },
    });
    expect(world.web.shows(www)?.certificate.serial).toBe(taken?.serial);
    expect(await world.events('certificate.issued', www)).toMatchObject([
      { facts: { reason: 'reused', from: wild } },
    ]);
    await world.live(70 * day);
    expect(world.first.orders.map(({ asked }) => asked.names)).toEqual([
      ['example.com', '*.example.com'],
      ['www.example.com'],
    ]);
    expect(world.first.orders[1]?.asked.replaces).toBeUndefined();
  });

  it.each<[string, Partial<Domain>, readonly string[]]>([
    ['gets more names', {}, ['www.example.com', 'api.example.com']],
    ['gets another issuer', { issuers: ['second'] }, ['www.example.com']],
    ['gets another key type', { keyTypes: ['p384'] }, ['www.example.com']],
    ['gets another profile', { profile: { name: 'shortlived', required: false } }, ['www.example.com']],
  ])('whose wish %s takes the wildcard in place of its own one', async (_, before, names) => {
    await world.want({ ...dns, ...before });
    await world.live(minute);
    await world.want({ mode: 'wildcard', ...dns });
    await world.live(minute);
    expect(orders()).toBe(2);
    const domain = aDomain({ mode: 'individual', deploy: ['web'], ...dns });
    const putGroups = [
      { domain: 'example.com', label: 'www.example.com', names, origin: { kind: 'runtime' as const } },
    ];
    await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
    await world.live(hour);
    expect(orders()).toBe(2);
    expect(await current()).toMatchObject({ generation: 2, serial: await serialOf(wild), wanted: { names } });
    expect(world.web.shows(www)?.certificate.serial).toBe(await serialOf(wild));
  });

  it('whose own one covers the names that it gets keeps that, which its renewal replaces', async () => {
    await world.want({ mode: 'wildcard', ...dns });
    await world.live(minute);
    const group = (names: readonly string[]) => ({
      ...{ domain: 'example.com', label: '*.example.com', names },
      origin: { kind: 'runtime' as const },
    });
    const domain = aDomain({ mode: 'custom', deploy: ['web'], ...dns });
    const putGroups = [group(['*.example.com', 'www.example.com'])];
    await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
    await world.live(70 * day);
    const [first, second] = world.first.orders.map(({ asked }) => asked);
    expect(first?.names).toEqual(['example.com', '*.example.com']);
    expect(second?.names).toEqual(['*.example.com', 'www.example.com']);
    expect(second?.replaces).toBeDefined();
    expect(world.first.orders[1]?.createdAt).toBeGreaterThan(t0 + 30 * day);
    expect(orders()).toBe(2);
  });

  it('answers the task of a request that way too, unless that was forced', async () => {
    await afterWildcard({}, ['www.example.com', 'api.example.com']);
    const api = 'example.com/api.example.com/ec';
    const items = [www, api].map((id) => ({ id, state: 'waiting' as const }));
    const task = { id: 'task', operation: 'renew', createdAt: 0, state: 'running' as const, items };
    await world.store.changes.commit({ putTasks: [task] });
    await world.ask(false, 'task', www);
    await world.ask(true, 'task', api);
    await world.live(hour);
    expect((await world.store.tasks.get('task'))?.items.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(await serialOf()).toBe(await serialOf(wild));
    expect(await serialOf(api)).not.toBe(await serialOf(wild));
    expect(orders()).toBe(2);
  });

  it.each<[string, Partial<Domain>]>([
    ['of another key class', { keyTypes: ['rsa2048'] }],
    ['of another key type', { keyTypes: ['p384'] }],
    ['of another issuer', { issuers: ['second'] }],
    ['of another profile', { profile: { name: 'shortlived', required: false } }],
  ])('does not take one %s', async (_, change) => {
    await afterWildcard(change);
    await world.live(hour);
    expect(orders()).toBe(2);
  });

  it('does not take one that lies a label too high, or covers only some of its names', async () => {
    await afterWildcard({}, []);
    const putHosts = [aHost('a.b.example.com')];
    const names = ['www.example.com', 'a.b.example.com'];
    const origin = { kind: 'runtime' as const };
    const putGroups = [{ domain: 'example.com', label: 'www.example.com', names, origin }];
    await world.run(changeWishes('example.com', () => ({ putHosts, putGroups }), world.needs));
    await world.live(hour);
    expect(orders()).toBe(3);
  });

  it('does not take one that is old, revoked, to be revoked or of a compromised key', async () => {
    const fingerprint = async () => (await current(wild))?.fingerprint ?? '';
    const keyId = async () => {
      const bundle = await world.store.certificates.bundle(wild);
      return bundle === undefined ? '' : world.needs.pki.keyId(bundle.privateKey);
    };
    const faults: (() => Promise<void>)[] = [
      () => world.live(65 * day),
      () => edit(wild, { revokedAt: world.clock.now() }),
      async () => edit(wild, { compromised: [await keyId()] }),
      async () =>
        edit(wild, {
          revoking: [
            {
              ...{
                generation: 1,
                serial: '01',
                issuer: 'first',
                leaf: '',
                reason: 'unspecified',
                failures: 0,
              },
              ...{ fingerprint: await fingerprint(), notAfter: 0, requestedAt: world.clock.now() },
            },
          ],
        }),
    ];
    for (const fault of faults) {
      world = await worlds.open();
      await afterWildcard({}, []);
      await fault();
      const putHosts = [aHost('www.example.com')];
      await world.run(changeWishes('example.com', () => ({ putHosts }), world.needs));
      await world.live(hour);
      expect(await serialOf()).not.toBe(await serialOf(wild));
      expect(await current()).toBeDefined();
    }
  });

  it('does not take a short-lived one that is due, though more than a third of its life is left', async () => {
    world.first.ways.lifetimeMs = 6 * day;
    await world.want({ mode: 'wildcard', ...dns }, ['www.example.com']);
    await world.live(minute);
    await world.pass(3.5 * day);
    const domain = aDomain({ mode: 'individual', deploy: ['web'], ...dns });
    await world.run(changeWishes('example.com', () => ({ domain }), world.needs));
    await world.renew();
    const reasons = (await world.events('certificate.issued', www)).map(({ facts }) => facts.reason);
    expect(reasons).toEqual(['missing']);
  });

  it('asks the store once more for it, however many hosts its domain has', async () => {
    const hosts = Array.from({ length: 60 }, (_, index) => `h${index}.example.com`);
    await world.want({ issuers: ['first'] }, hosts);
    const before = world.gate.calls.length;
    await world.handle('issue', 'example.com/h0.example.com/ec');
    const calls = world.gate.calls.slice(before);
    expect(calls.filter((call) => call === 'certificates.currents')).toHaveLength(1);
    expect(calls).not.toContain('certificates.lineages');
  });

  it('whose process dies while it takes one has it in the end, without an order', async () => {
    for (const when of ['before', 'after'] as const)
      for (let count = 1, isOver = false; !isOver; count++) {
        world = await worlds.open();
        await afterWildcard();
        world.gate.dieAt(count, when);
        await world.handle('issue', www).catch(() => undefined);
        isOver = !world.gate.isDead;
        await world.takeOver();
        await world.live(10 * minute);
        expect([count, orders(), await serialOf()]).toEqual([count, 1, await serialOf(wild)]);
        expect(world.web.shows(www)?.certificate.serial).toBe(await serialOf(wild));
      }
  });
});
