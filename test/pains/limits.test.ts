import { beforeEach, describe, expect, it } from 'vitest';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { failing } from '../core/gate.ts';
import { day, hour, minute, t0 } from '../core/given.ts';
import { problemError } from '../core/scripted-ca.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const many = (count: number) => Array.from({ length: count }, (_, index) => `h${index}.example.com`);
const idOf = (host: string) => `example.com/${host}/ec`;
const wrongAnswer = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
const orderedAt = () => world.first.orders.map(({ createdAt }) => createdAt - t0);

describe('a rate limit', () => {
  it.each([
    ['of an hour', hour],
    ['of three days', 3 * day],
  ])(
    '%s is no end: the name has its certificate as soon as it is over, with one more order',
    async (_, ms) => {
      const limit = problemError({ type: 'rateLimited', detail: 'too many' }, 429, t0 + ms);
      world.gate.once('first.newOrder', failing(limit));
      await world.want({ issuers: ['first'] });
      await world.live(ms + 20 * minute);
      expect(await world.store.certificates.certificate(www)).toBeDefined();
      const asked = world.gate.calls.filter((call) => call === 'first.newOrder');
      expect(asked).toHaveLength(2);
      expect(orderedAt()[0]).toBeGreaterThanOrEqual(ms);
    },
  );

  it('without an end is followed by the ladder, not by a request a minute', async () => {
    world.gate.always('first.newOrder', failing(problemError({ type: 'rateLimited' }, 429)));
    await world.want({ issuers: ['first'] });
    await world.live(2 * day);
    expect(world.gate.calls.filter((call) => call === 'first.newOrder').length).toBeLessThanOrEqual(5);
  });
});

describe('one certificate', () => {
  it('for which a tick, a wake, a request and an edit come within a minute is ordered once', async () => {
    await world.want({ issuers: ['first'] });
    await world.ask(false);
    await Promise.all([world.handle('issue', www), world.handle('issue', www), world.handle('issue', www)]);
    await world.want({ issuers: ['first'], contacts: ['other@example.com'] });
    await world.ask(false);
    await world.live(minute);
    expect(world.first.orders).toHaveLength(1);
  });

  it('is not ordered again day after day once it is held, whatever the file and its hosts do around it', async () => {
    await world.want({ issuers: ['first'] });
    for (let days = 0; days < 50; days++) {
      await world.want({ issuers: ['first'] }, ['www.example.com', 'passing.example.com']);
      const passing = (await world.store.wishes.hosts('example.com')).filter(
        ({ name }) => name === 'passing.example.com',
      );
      await world.live(12 * hour);
      await world.run(changeWishes('example.com', () => ({ removeHosts: passing }), world.needs));
      await world.live(12 * hour);
    }
    const names = world.first.orders.flatMap(({ asked }) => asked.names);
    expect(names.filter((name) => name === 'www.example.com')).toHaveLength(1);
    expect(names).toHaveLength(2);
  });

  it('that another one has replaced is left alone: a superseded generation is never renewed', async () => {
    await world.want({ issuers: ['first'] });
    await world.work();
    await world.ask(true);
    await world.work();
    await world.live(50 * day);
    expect(world.first.orders).toHaveLength(2);
  });
});

describe('a name that cannot be validated', () => {
  it('is asked for less than a hundred times in a quarter', async () => {
    world.first.ways.verdict = wrongAnswer;
    await world.want({ issuers: ['first'] });
    await world.live(90 * day);
    expect(world.first.orders.length).toBeLessThan(100);
  });

  it('is no reason to ask a second CA, whose limits it would burn too', async () => {
    world.first.ways.verdict = wrongAnswer;
    await world.want();
    await world.live(10 * day);
    expect(world.second.orders).toEqual([]);
  });
});

describe('a herd', () => {
  it('of hosts added at one moment is not renewed at one moment', async () => {
    const hosts = many(40);
    await world.want({ issuers: ['first'] }, hosts);
    await world.work();
    const states = await world.store.renewals.many(hosts.map(idOf));
    const points = states.map(({ renewAt = 0 }) => renewAt).sort((a, b) => a - b);
    const minutes = points.map((at) => Math.floor(at / minute));
    expect(new Set(minutes).size).toBeGreaterThan(35);
    expect((points.at(-1) ?? 0) - (points[0] ?? 0)).toBeGreaterThan(2 * day);
  });

  it('that finds its CA overloaded at the same hour each night is not bound to that hour', async () => {
    const hosts = many(6);
    const busy = problemError({ type: 'serverInternal', detail: 'busy' }, 503);
    world.gate.always('first.newOrder', async (proceed) => {
      if (world.clock.now() % day < hour) throw busy;
      return proceed();
    });
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(6 * hour);
    const found = await world.store.certificates.currents(hosts.map(idOf));
    expect(found).not.toContain(undefined);
  });

  it('whose CA was away for a day does not come back at one moment', async () => {
    const hosts = many(12);
    world.gate.always('first.newOrder', failing(problemError({ type: 'serverInternal' }, 503)));
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(day);
    world.gate.always('first.newOrder', undefined);
    await world.live(2 * day);
    const at = world.first.orders.map(({ createdAt }) => Math.floor(createdAt / minute));
    expect(at).toHaveLength(12);
    const most = Math.max(...at.map((one) => at.filter((other) => other === one).length));
    expect(most).toBeLessThanOrEqual(8);
  });
});
