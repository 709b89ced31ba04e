import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { Domain } from '../../../src/core/types.ts';
import { adoptFile, type FileWish, misfits } from '../../../src/core/wishes/file-wishes.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { aDomain, aHost, day, minute, t0 } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const file = { kind: 'file', line: 7 } as const;

function wish(hosts: readonly string[], change: Partial<Domain> = {}): FileWish {
  const domain = aDomain({ mode: 'individual', deploy: ['web'], origin: file, ...change });
  return { domain, hosts: hosts.map((name) => ({ ...aHost(name, domain.name), origin: file, addedAt: 0 })) };
}

const adopt = (...wishes: readonly FileWish[]) => world.run(adoptFile(wishes, world.needs));
const hostsOf = async () => (await world.store.wishes.hosts('example.com')).map(({ name }) => name).sort();
const held = () => world.store.certificates.certificate(www);

describe('the file', () => {
  it('owns what it names, and certificates follow', async () => {
    await adopt(wish(['www.example.com', 'shop.example.com']));
    expect(await hostsOf()).toEqual(['shop.example.com', 'www.example.com']);
    expect((await world.store.wishes.domain('example.com'))?.origin).toEqual(file);
    await world.live(minute);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(world.first.orders).toHaveLength(2);
  });

  it('read again without a change writes nothing and wakes nobody', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    const commits = () => world.gate.calls.filter((call) => call === 'changes.commit').length;
    const before = commits();
    world.clock.jump(minute);
    await adopt(wish(['www.example.com']));
    expect(commits()).toBe(before);
  });

  it('read by several agents at once is adopted once', async () => {
    const same = wish(['www.example.com', 'shop.example.com']);
    await world.run(Promise.all([1, 2, 3].map(() => adoptFile([same], world.needs))));
    await world.live(minute);
    expect(world.first.orders).toHaveLength(2);
  });

  it('with more domains than are under way at a time is adopted whole; a fault in one is told, and mended by the next look', async () => {
    const names = Array.from({ length: 70 }, (_, index) => `d${index}.test`);
    const wishes = names.map((name) => wish([`www.${name}`], { name }));
    const away = new AgentError('store.unavailable', 'the store is away');
    world.gate.once('changes.commit', failing(away));
    await expect(adopt(...wishes)).rejects.toBe(away);
    expect((await world.store.wishes.domains()).length).toBeLessThan(names.length);
    await adopt(...wishes);
    expect((await world.store.wishes.domains()).map(({ name }) => name).sort()).toEqual(names.sort());
  });

  it('with which a wildcard that was asked for makes no sense any more is adopted in all else, and a look beforehand names that one', async () => {
    const domain = { issuers: ['first'], challenge: undefined } as const;
    await adopt(wish(['www.example.com'], { ...domain, dnsAccount: 'zone' }));
    const names = ['*.dev.example.com'];
    const group = {
      domain: 'example.com',
      label: '*.dev.example.com',
      names,
      origin: { kind: 'runtime' },
    } as const;
    await world.run(changeWishes('example.com', () => ({ putGroups: [group] }), world.needs));
    const before = await world.store.wishes.domain('example.com');
    const both = [wish(['www.example.com'], domain), wish([], { name: 'other.test' })];
    const checked = await misfits(both, world.needs);
    expect(checked).toEqual([{ domain: 'example.com', error: expect.any(AgentError) }]);
    expect(checked[0]?.error.message).toMatch(/\*\.dev\.example\.com needs dns-01/);
    await adopt(...both);
    expect(await world.store.wishes.domain('example.com')).toEqual(before);
    expect(await world.store.wishes.domain('other.test')).toBeDefined();
    expect(world.log.join()).toMatch(/cannot follow the configuration file.*example\.com/);
  });

  it('takes over a domain that a command added; its runtime hosts stay', async () => {
    await world.want({ origin: { kind: 'runtime' } }, ['runtime.example.com']);
    await adopt(wish(['www.example.com']));
    expect((await world.store.wishes.domain('example.com'))?.origin).toEqual(file);
    expect(await hostsOf()).toEqual(['runtime.example.com', 'www.example.com']);
  });

  it('that names a host no more removes it, and keeps its certificate', async () => {
    await adopt(wish(['www.example.com', 'shop.example.com']));
    await world.live(minute);
    await adopt(wish(['shop.example.com']));
    expect(await hostsOf()).toEqual(['shop.example.com']);
    expect(await held()).toBeDefined();
    expect(await world.store.certificates.lineage(www)).toMatchObject({ unwantedSince: expect.any(Number) });
    await world.live(100 * day);
    expect(await held()).toMatchObject({ generation: 1 });
    expect(await world.store.certificates.certificate('example.com/shop.example.com/ec')).toMatchObject({
      generation: 2,
    });
  });

  it('that names a domain no more disables it: nothing is ordered, certificates stay', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    await adopt();
    expect(await world.store.wishes.domain('example.com')).toMatchObject({ disabledAt: world.clock.now() });
    expect(await world.events('domain.changed')).toHaveLength(1);
    await world.live(100 * day);
    expect(world.first.orders).toHaveLength(1);
    expect(await held()).toMatchObject({ generation: 1 });
  });

  it('that loses a domain in the middle of its first order stops that order at once', async () => {
    await adopt(wish(['www.example.com']));
    world.first.ways.validationMs = 4 * minute;
    expect(await world.renew()).toBeDefined();
    await adopt();
    await world.live(day);
    expect(await held()).toBeUndefined();
    expect(world.first.finalized()).toEqual([]);
    expect(await world.store.issuances.all()).toEqual([]);
    expect(await world.tokensLeft()).toBe(0);
  });

  it('does not order for a domain that left while its renewal was due within a week', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    const { renewAt = 0 } = await world.store.renewals.get(www);
    await world.live(renewAt - world.clock.now() - day);
    await adopt();
    await world.live(5 * day);
    expect(world.first.orders).toHaveLength(1);
  });

  it('to which a domain comes back takes it up where it was', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    await adopt();
    await world.live(3 * day);
    await adopt(wish(['www.example.com']));
    const domain = await world.store.wishes.domain('example.com');
    expect(domain?.disabledAt).toBeUndefined();
    await world.live(day);
    expect(world.first.orders).toHaveLength(1);
    await world.live(70 * day);
    expect(await held()).toMatchObject({ generation: 2 });
  });

  it('to which a host comes back after weeks has it due at its renewal point, though the woken job got lost', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    const { renewAt } = await world.store.renewals.get(www);
    await adopt(wish([]));
    await world.live(10 * day);
    await world.renew();
    expect((await world.store.renewals.get(www)).renewAt).toBeUndefined();
    await adopt(wish(['www.example.com']));
    expect((await world.store.renewals.get(www)).renewAt).toBe(renewAt);
    expect(await world.store.due.at('issue', www)).toBeLessThanOrEqual(renewAt ?? 0);
  });

  it('to which a domain comes back after its certificate expired orders at once', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    await adopt();
    await world.live(100 * day);
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    const certificate = await held();
    expect(certificate).toMatchObject({ generation: 2 });
    expect(world.web.shows(www)?.certificate.fingerprint).toBe(certificate?.fingerprint);
  });

  it('whose other domains stand in the store does not touch what commands own', async () => {
    await world.want({ name: 'runtime.test' }, ['www.runtime.test']);
    await adopt(wish(['www.example.com']));
    const domain = await world.store.wishes.domain('runtime.test');
    expect(domain).toMatchObject({ origin: { kind: 'runtime' } });
    expect(domain?.disabledAt).toBeUndefined();
    expect(world.clock.now()).toBeGreaterThanOrEqual(t0);
  });
});
