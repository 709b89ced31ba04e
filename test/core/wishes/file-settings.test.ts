import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import type { Domain, DomainWish } from '../../../src/core/types.ts';
import { resolveDomain } from '../../../src/core/wishes/domain-wish.ts';
import { adoptFile, type FileWish, misfits } from '../../../src/core/wishes/file-wishes.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { aDomain, aHost, day, minute } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

function wish(hosts: readonly string[], change: Partial<Domain> = {}): FileWish {
  const origin = { kind: 'file', line: 7 } as const;
  const domain = aDomain({ mode: 'individual', origin, ...change });
  return { domain, hosts: hosts.map((name) => ({ ...aHost(name), origin, addedAt: 0 })) };
}

const adopt = (...wishes: readonly FileWish[]) => world.run(adoptFile(wishes, world.needs));
const held = () => world.store.certificates.certificate(www);

describe('a domain of a command', () => {
  const runtime = (said: DomainWish) => ({ domain: resolveDomain('runtime.test', said, world.settings) });
  const add = (said: DomainWish, hosts = ['www.runtime.test']) =>
    world.run(
      changeWishes(
        'runtime.test',
        () => ({ ...runtime(said), putHosts: hosts.map((name) => aHost(name, 'runtime.test')) }),
        world.needs,
      ),
    );
  const stored = () => world.store.wishes.domain('runtime.test');
  const id = 'runtime.test/www.runtime.test/ec';

  beforeEach(() => {
    world.settings.defaults = { ...world.settings.defaults, deploy: ['web'], notify: ['mail'] };
  });

  it('follows the defaults of the file in all that it was not told', async () => {
    await add({ contacts: ['owner@runtime.test'] });
    expect(await stored()).toMatchObject({ issuers: ['first'], notify: ['mail'] });
    world.settings.defaults = { ...world.settings.defaults, issuers: ['second'], notify: ['hook'] };
    await adopt();
    expect(await stored()).toMatchObject({
      issuers: ['second'],
      notify: ['hook'],
      contacts: ['owner@runtime.test'],
    });
    await world.live(minute);
    expect(await world.store.certificates.certificate(id)).toMatchObject({ issuer: 'second' });
  });

  it('gets its certificates to a target that the file defines from now on', async () => {
    world.settings.defaults = { ...world.settings.defaults, deploy: [] };
    await add({});
    await world.live(minute);
    expect(world.web.shows(id)).toBeUndefined();
    world.settings.defaults = { ...world.settings.defaults, deploy: ['web'] };
    await adopt();
    await world.live(minute);
    expect(world.web.shows(id)?.certificate.source).toBe('acme');
  });

  it('whose target and notifier were renamed in the file uses the defaults meanwhile, and that is said', async () => {
    world.settings.deployTargets = ['old', 'web'];
    await add({ deploy: ['old'], notify: ['hook', 'mail'] });
    world.settings.deployTargets = ['web'];
    world.settings.notifiers = ['mail'];
    await adopt();
    expect(await stored()).toMatchObject({
      deploy: ['web'],
      notify: ['mail'],
      said: { deploy: ['old'], notify: ['hook', 'mail'] },
    });
    const lines = world.log.filter((line) => line.includes('does not define'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/runtime\.test.*deploy target .*old.*notifier .*hook/);
    await world.live(minute);
    expect(world.web.shows(id)?.certificate.source).toBe('acme');
    world.settings.deployTargets = ['old', 'web'];
    await adopt();
    expect(await stored()).toMatchObject({ deploy: ['old'] });
  });

  it('keeps its certificates as they are when its DNS account left the file', async () => {
    await add({ dnsAccount: 'zone' });
    await world.live(minute);
    const before = await world.store.certificates.lineages('runtime.test');
    expect(before.map(({ label }) => label)).toContain('*.runtime.test');
    world.settings.dnsAccounts = [];
    await adopt();
    expect(await world.store.certificates.lineages('runtime.test')).toEqual(before);
    expect(world.log.join()).toMatch(/DNS account .*zone/);
  });

  it('that cannot follow the defaults stays as it was, and does not keep the agent from starting', async () => {
    await add({ mode: 'wildcard', dnsAccount: 'zone' });
    const before = await stored();
    world.settings.defaults = { ...world.settings.defaults, challenge: 'http-01' };
    await adopt(wish(['www.example.com']));
    expect(await stored()).toEqual(before);
    expect(world.log.join()).toMatch(/cannot follow the configuration file.*runtime\.test/);
  });

  it('that would want two certificates under one name by the defaults does not order in turns', async () => {
    await add({ challenge: 'http-01' });
    await world.live(minute);
    world.settings.defaults = { ...world.settings.defaults, keyTypes: ['p256', 'p384'] };
    for (let reload = 0; reload < 3; reload++) {
      await adopt();
      await world.live(minute);
    }
    expect(world.first.orders).toHaveLength(1);
    expect(await misfits([], world.needs)).toMatchObject([{ domain: 'runtime.test' }]);
  });

  it('that a store kept without what was said stays as it is', async () => {
    await world.want({ name: 'runtime.test', issuers: ['second'] }, ['www.runtime.test']);
    await adopt();
    expect(await stored()).toMatchObject({ issuers: ['second'], contacts: ['admin@example.com'] });
  });

  it('is read again without a change: nothing is written', async () => {
    await add({ deploy: [] });
    await world.live(minute);
    await adopt();
    const commits = () => world.gate.calls.filter((call) => call === 'changes.commit').length;
    const before = commits();
    await adopt();
    expect(commits()).toBe(before);
  });
});

describe('an issuer of the file', () => {
  const facts = (directoryUrl: string, mark: string) => ({ directoryUrl, mark });

  beforeEach(() => {
    world.settings.issuerFacts = {
      first: facts('https://staging', 'a'),
      second: facts('https://other', 'b'),
    };
  });

  it('that becomes another CA under its name has its certificates ordered anew, once', async () => {
    await adopt(wish(['www.example.com']));
    await world.live(minute);
    expect(await held()).toMatchObject({
      generation: 1,
      wanted: { directories: ['https://staging', 'https://other'] },
    });
    world.settings.issuerFacts = { ...world.settings.issuerFacts, first: facts('https://production', 'c') };
    await adopt(wish(['www.example.com']));
    await world.live(day);
    expect(await held()).toMatchObject({ generation: 2 });
    expect(world.first.orders).toHaveLength(2);
    const [, event] = await world.events('certificate.issued');
    expect(event?.facts).toMatchObject({ reason: 'issuer-gone' });
  });

  it('whose account is corrected is asked again at once where it had failed, and nowhere else', async () => {
    await adopt(wish(['www.example.com', 'shop.example.com'], { issuers: ['first'] }));
    await world.renew('example.com/shop.example.com/ec');
    world.gate.always('first.newOrder', failing(new AgentError('acme.account', 'the account is unknown')));
    await world.renew();
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 1, issuerFailures: { first: 3 } });
    world.gate.always('first.newOrder', undefined);
    world.settings.issuerFacts = {
      ...world.settings.issuerFacts,
      first: facts('https://staging', 'corrected'),
    };
    const woken = world.woken.length;
    await adopt(wish(['www.example.com', 'shop.example.com'], { issuers: ['first'] }));
    expect(world.woken.slice(woken).filter(({ job }) => job === 'issue')).toEqual([
      { job: 'issue', id: www },
    ]);
    expect((await world.store.renewals.get(www)).issuerFailures).toEqual({});
    await world.live(minute);
    expect(await held()).toMatchObject({ generation: 1 });
  });
});

describe('a DNS account of the file', () => {
  const dns = { challenge: 'dns-01', dnsAccount: 'zone', issuers: ['first'] } as const;
  const accounts = (mark: string) =>
    ['zone', 'other'].map((name) => ({ name, zones: [], programmable: true, mark: `${name} ${mark}` }));
  const refused = failing(new AgentError('provider.auth', 'the vendor refuses the credentials'));
  const state = () => world.store.renewals.get(www);

  beforeEach(async () => {
    world.settings.dnsAccounts = accounts('old');
    await adopt(wish(['www.example.com'], dns));
    world.gate.always('dns-01.present', refused);
    await world.renew();
    expect(await state()).toMatchObject({ failures: 1, lastFailure: { code: 'provider.auth' } });
    expect((await state()).retryAt).toBeGreaterThan(world.clock.now() + day / 2);
  });

  it('whose credentials are corrected is used again at once where it had failed', async () => {
    world.gate.always('dns-01.present', undefined);
    world.settings.dnsAccounts = accounts('corrected');
    await adopt(wish(['www.example.com'], dns));
    await world.live(minute);
    expect(await held()).toMatchObject({ generation: 1 });
  });

  it('that takes the place of another one is used at once', async () => {
    await adopt(wish(['www.example.com'], { ...dns, dnsAccount: 'other' }));
    expect((await state()).retryAt).toBeUndefined();
  });

  it('is not tried again where nothing of it was changed, or where something else failed', async () => {
    await adopt(wish(['www.example.com'], dns));
    expect((await state()).retryAt).toBeDefined();
    await editRenewal(www, world.store, (before) => {
      const lastFailure = { at: 0, code: 'order.rejectedIdentifier', message: 'no' };
      return { putRenewals: [{ ...before, lastFailure }] };
    });
    world.settings.dnsAccounts = accounts('corrected');
    await adopt(wish(['www.example.com'], dns));
    expect((await state()).retryAt).toBeDefined();
  });
});
