import { describe, expect, test } from 'vitest';
import { registeredDomain } from '../../src/acme/registered-domain.ts';
import { AgentError } from '../../src/core/errors.ts';
import { type ConsiderNeeds, considerHost } from '../../src/core/on-demand/consider.ts';
import { giveUpWaiting } from '../../src/core/on-demand/waiting.ts';
import type { OnDemandSettings } from '../../src/core/types.ts';
import { domainsAdd, domainsSet } from '../../src/operations/domains.ts';
import { hostsAdd } from '../../src/operations/hosts.ts';
import { why } from '../../src/operations/why.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

const rules: OnDemandSettings = {
  allow: ['*.shops.test', '*.customer.co.uk', '*.*'],
  asksPermission: false,
  perDomain: { count: 3, perMs: day },
  mostWaiting: 100,
};
const minute = 60_000;
const signal = new AbortController().signal;

/** `permission`: status that the platform answers, or what comes in place of an answer. */
function demand(more: Partial<OnDemandSettings> = {}, permission: number | AgentError = 204) {
  bench.settings = { ...bench.settings, onDemand: { ...rules, ...more } };
  const asked: string[] = [];
  const needs: ConsiderNeeds = {
    ...bench.needs,
    registeredDomain,
    hostPermission: {
      ask: async (name) => {
        asked.push(name);
        if (typeof permission === 'number') return permission;
        throw permission;
      },
    },
  };
  return { asked, needs, ask: (name: string) => considerHost(name, needs, signal) };
}

const host = (name: string) => bench.needs.wishes.host(name);
const lines = async (name: string) => (await bench.run(why, { host: name })).lines;

describe('a host that a client asks for', () => {
  test('K7 is taken in under the domain that it lies under, and its order is woken at once', async () => {
    await bench.run(domainsAdd, { name: 'shops.test', mode: 'individual' });
    expect(await demand().ask('a.shops.test')).toBe('taken');
    expect(await host('a.shops.test')).toMatchObject({
      domain: 'shops.test',
      onDemand: { madeDomain: false },
    });
    expect(bench.woken).toContainEqual({ job: 'issue', ids: ['shops.test/a.shops.test/ec'] });
    expect((await bench.events('host.changed')).at(-1)?.facts).toMatchObject({
      change: 'added',
      host: 'a.shops.test',
      requestedBy: 'on-demand',
    });
  });

  test('has a domain of its own where it lies under none, proven over port 80 whatever the defaults say', async () => {
    const defaults = { ...bench.needs.settings().defaults, dnsAccount: 'route53' };
    bench.settings = { defaults };
    expect(await demand().ask('customer.com')).toBe('taken');
    expect(await bench.needs.certificates.lineage('customer.com/customer.com/ec')).toMatchObject({
      wanted: { names: ['customer.com'], challenge: 'http-01' },
    });
    expect(await host('customer.com')).toMatchObject({
      domain: 'customer.com',
      onDemand: { madeDomain: true },
    });
  });

  test.each([['a.b.shops.test'], ['shops.test.evil'], ['a.xshops.test'], ['xa.customerxco.uk']])(
    'K7 is nobody of ours where no pattern allows it: %s',
    async (name) => {
      const { ask, asked } = demand({ allow: ['*.shops.test', '*.customer.co.uk'], asksPermission: true });
      expect(await ask(name)).toBe('notAllowed');
      expect(asked).toEqual([]);
      expect(await bench.needs.wishes.domains()).toEqual([]);
      expect((await lines(name)).at(-1)).toContain('no pattern of onDemand.allow');
    },
  );

  test('is not looked at where it is a host, is held, or the file has no such thing', async () => {
    await bench.run(domainsAdd, { name: 'shops.test', dnsAccount: 'route53', mode: 'wildcard' });
    await bench.run(hostsAdd, { names: ['known.shops.test'] });
    const { ask, asked } = demand({ asksPermission: true });
    expect(await ask('known.shops.test')).toBe('known');
    await bench.hold('shops.test/*.shops.test/ec', start + 60 * day);
    expect(await ask('covered.shops.test')).toBe('known');
    bench.settings = { onDemand: undefined };
    expect(await considerHost('new.shops.test', demandless(), signal)).toBe('notAllowed');
    expect(asked).toEqual([]);
  });

  test('is one wish and one question, however many tell of it at once', async () => {
    const { ask, asked } = demand({ asksPermission: true });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => ask('once.shops.test')));
    expect(outcomes.filter((one) => one === 'taken')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['taken', 'known']));
    expect(asked).toEqual(['once.shops.test']);
    expect(await bench.events('host.changed')).toHaveLength(1);
  });
});

describe('a host is refused', () => {
  test.each([300, 304, 401])('where the platform answers anything but 2xx: %i', async (status) => {
    expect(await demand({ asksPermission: true }, status).ask('odd.shops.test')).toBe('refused');
    expect(await host('odd.shops.test')).toBeUndefined();
  });

  test('once, also where that was settled while another one waited to look at it', async () => {
    const { ask, asked, needs } = demand({ asksPermission: true }, 404);
    let isFirst = true;
    const tryAcquire: typeof needs.locks.tryAcquire = async (name, ttlMs) => {
      if (isFirst) {
        isFirst = false;
        await ask('late.shops.test');
      }
      return needs.locks.tryAcquire(name, ttlMs);
    };
    const late = { ...needs, locks: { ...needs.locks, tryAcquire } };
    expect(await considerHost('late.shops.test', late, signal)).toBe('known');
    expect(asked).toEqual(['late.shops.test']);
  });

  test('where the platform does not permit it, and is not asked about again for ten minutes', async () => {
    const { ask, asked } = demand({ asksPermission: true }, 404);
    expect(await ask('no.shops.test')).toBe('refused');
    expect(await ask('no.shops.test')).toBe('known');
    expect(asked).toEqual(['no.shops.test']);
    expect(await host('no.shops.test')).toBeUndefined();
    expect((await lines('no.shops.test')).slice(-2)).toEqual([
      'On demand: a client asked for it now, and it was refused: the platform does not permit it: it answered 404.',
      'It may be asked for again from 2026-11-20 12:10:00 UTC (in 10 minutes).',
    ]);
    bench.now += 10 * minute;
    expect((await lines('no.shops.test')).at(-1)).toContain('taken in when a client asks for it');
    expect(await ask('no.shops.test')).toBe('refused');
    expect(asked).toHaveLength(2);
  });

  test.each([
    [503, 'it answered 503'],
    [new AgentError('net.refused', 'platform.test (10.0.0.1) is a private address'), 'a private address'],
  ])('for a minute where the platform cannot say: %s', async (answer, words) => {
    const { ask } = demand({ asksPermission: true }, answer);
    expect(await ask('maybe.shops.test')).toBe('refused');
    expect((await lines('maybe.shops.test')).join('\n')).toContain(words);
    bench.now += minute;
    expect(await demand({ asksPermission: true }, 200).ask('maybe.shops.test')).toBe('taken');
  });

  test('beyond the quota of its registered domain, by the list of public suffixes, until that has room', async () => {
    const { ask } = demand({ perDomain: { count: 2, perMs: day } });
    const outcomes: string[] = [];
    for (const name of ['a.customer.co.uk', 'b.customer.co.uk', 'c.customer.co.uk', 'other.co.uk'])
      outcomes.push(await ask(name));
    expect(outcomes).toEqual(['taken', 'taken', 'refused', 'notAllowed']);
    expect((await lines('c.customer.co.uk')).at(-2)).toContain(
      'customer.co.uk has had its 2 new hosts in 1 day (onDemand.perDomain)',
    );
    expect(await ask('x.shops.test')).toBe('taken');
    bench.now += day;
    expect(await ask('c.customer.co.uk')).toBe('taken');
  });

  test('while too many wait for their first certificate; those that have it make room', async () => {
    await bench.run(domainsAdd, { name: 'shops.test', mode: 'individual' });
    const { ask } = demand({ mostWaiting: 2 });
    expect(await ask('a.shops.test')).toBe('taken');
    expect(await ask('b.shops.test')).toBe('taken');
    expect(await ask('c.shops.test')).toBe('refused');
    expect((await lines('c.shops.test')).at(-2)).toContain(
      '2 hosts that clients asked for have no certificate yet',
    );
    await bench.hold('shops.test/a.shops.test/ec', start + 60 * day);
    bench.now += 2 * minute;
    expect(await ask('c.shops.test')).toBe('taken');
  });

  test('of a domain that orders nothing, with the reason', async () => {
    await bench.run(domainsAdd, { name: 'shops.test', mode: 'custom' });
    const { ask } = demand({ perDomain: { count: 1, perMs: day } });
    expect(await ask('a.shops.test')).toBe('refused');
    expect(await bench.needs.hostAsks.refusalOf('a.shops.test')).toMatchObject({
      reason: 'domain',
      message: 'shops.test makes no certificates by itself (mode custom)',
    });
    await bench.run(domainsSet, { name: 'shops.test', mode: 'individual' });
    expect(await ask('b.shops.test')).toBe('taken');
  });

  test('by nobody where too many are asked for at once: they are left for later, and nothing is remembered', async () => {
    const { ask, asked } = demand({ asksPermission: true }, 403);
    const names = Array.from({ length: 30 }, (_, index) => `n${index}.shops.test`);
    const outcomes: string[] = [];
    for (const name of names) outcomes.push(await ask(name));
    expect(outcomes.filter((one) => one === 'busy')).toHaveLength(10);
    expect(asked).toHaveLength(20);
    expect(await bench.needs.hostAsks.refusalOf(names.at(-1) ?? '')).toBeUndefined();
    const others = Array.from({ length: 40 }, (_, index) => `d${index}.test`);
    for (const name of others) outcomes.push(await ask(name));
    expect(asked).toHaveLength(50);
    bench.now += 1_000;
    expect(await ask('n29.shops.test')).toBe('refused');
  });
});

describe('a host that never gets its certificate', () => {
  test('is given up after a day, with the domain that was made for it, and not taken in again for another', async () => {
    const { ask, needs } = demand();
    await bench.run(domainsAdd, { name: 'shops.test', mode: 'individual' });
    for (const name of ['customer.com', 'a.shops.test', 'good.shops.test', 'kept.shops.test'])
      await ask(name);
    await bench.hold('shops.test/good.shops.test/ec', start + 60 * day);
    await bench.run(hostsAdd, { names: ['kept.shops.test'] });
    await giveUpWaiting(needs);
    expect((await bench.needs.hostAsks.waiting()).map(({ name }) => name)).toEqual([
      'a.shops.test',
      'customer.com',
      'kept.shops.test',
    ]);
    bench.now += 22 * 60 * minute;
    await giveUpWaiting(needs);
    expect(await bench.needs.hostAsks.waiting()).toEqual([]);
    expect((await bench.needs.wishes.domains()).map(({ name }) => name)).toEqual(['shops.test']);
    expect((await bench.needs.wishes.hosts('shops.test')).map(({ name }) => name)).toEqual([
      'good.shops.test',
      'kept.shops.test',
    ]);
    expect(await ask('a.shops.test')).toBe('known');
    expect((await lines('customer.com')).join('\n')).toContain(
      'no certificate could be had for it within a day',
    );
    bench.now += day;
    expect(await ask('a.shops.test')).toBe('taken');
  });

  test('is counted a minute before it is there', async () => {
    const { needs } = demand();
    const waiting = async () => (await needs.hostAsks.waiting()).map(({ name }) => name);
    await needs.hostAsks.addWaiting('soon.shops.test', bench.now);
    await giveUpWaiting(needs);
    expect(await waiting()).toEqual(['soon.shops.test']);
    bench.now += minute;
    await giveUpWaiting(needs);
    expect(await waiting()).toEqual([]);
  });
});

function demandless(): ConsiderNeeds {
  return { ...bench.needs, registeredDomain, hostPermission: { ask: async () => 200 } };
}
