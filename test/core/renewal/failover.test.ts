import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { BucketTake } from '../../../src/core/types.ts';
import { failing, type Step } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { openCheapWorld, startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const down = failing(new AgentError('acme.server', 'the CA answers 503'));

const hosts = (count: number) => Array.from({ length: count }, (_, index) => `h${index}.example.com`);
const idOf = (host: string) => `example.com/${host}/ec`;
const callsOf = (call: string) => world.gate.calls.filter((one) => one === call).length;

async function issuerOf(lineage = www): Promise<string | undefined> {
  return (await world.store.certificates.certificate(lineage))?.issuer;
}

describe('the next issuer', () => {
  it('is asked after three faults of the first, at once', async () => {
    await world.want();
    world.gate.always('first.newOrder', down);
    await world.live(12 * minute);
    expect(await issuerOf()).toBe('second');
    const failed = await world.events('certificate.failed');
    expect(failed.map(({ at }) => at - t0)).toEqual(
      [0, minute, 11 * minute].map((at) => expect.closeTo(at, -3)),
    );
  });

  it('is asked at once where asking the first again is pointless', async () => {
    await world.want();
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids' });
    await world.renew();
    expect(await issuerOf()).toBe('second');
    expect(world.first.orders).toHaveLength(1);
  });

  it('is not asked for a verdict about the name', async () => {
    await world.want();
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.live(2 * day);
    expect(world.first.orders.length).toBeGreaterThan(3);
    expect(world.second.orders).toEqual([]);
  });

  it('is asked though an order at the first is still open, and that one is cleaned up', async () => {
    await world.want();
    world.gate.always('first.finalize', down);
    world.gate.always('first.order', down);
    await world.live(12 * minute);
    expect(await issuerOf()).toBe('second');
    expect(await world.store.issuances.all()).toEqual([]);
    expect(await world.tokensLeft()).toBe(0);
    const failed = await world.events('certificate.failed');
    expect(new Set(failed.map(({ facts }) => facts.issuer))).toEqual(new Set(['first']));
  });

  it('keeps the order that it began while the first is being probed', async () => {
    await world.want();
    world.gate.always('first.newOrder', down);
    await world.live(10 * minute);
    world.second.ways.validationMs = 30 * minute;
    await world.live(hour);
    expect(await issuerOf()).toBe('second');
    expect(world.second.orders).toHaveLength(1);
  });

  it('gives way to the first at the next renewal', async () => {
    await world.want();
    world.gate.always('first.newOrder', down);
    await world.live(12 * minute);
    world.gate.always('first.newOrder', undefined);
    await world.live(65 * day);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ issuer: 'first', generation: 2 });
    expect((await world.store.renewals.get(www)).issuerFailures).toEqual({});
  });

  it('that the file does not define any more is not waited for: no order follows at once', async () => {
    world.settings.issuers = ['first'];
    await world.want();
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids' });
    await world.renew();
    expect(world.first.orders).toHaveLength(1);
    const { retryAt } = await world.store.renewals.get(www);
    expect(retryAt).toBeGreaterThan(t0 + 20 * hour);
  });

  it('is asked at once too when both refuse, then each once a day', async () => {
    await world.want();
    for (const ca of [world.first, world.second])
      ca.ways.verdict = () => ({ type: 'rejectedIdentifier', detail: 'policy forbids' });
    await world.live(3 * day);
    expect([world.first.orders.length, world.second.orders.length]).toEqual([3, 3]);
  });

  it('is asked for a rate limit that outlasts half of the remaining validity', async () => {
    await world.want();
    await world.renew();
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    const limit = problemError({ type: 'rateLimited' }, 429, notAfter);
    world.gate.always('first.newOrder', failing(limit));
    await world.live(70 * day);
    expect(await issuerOf()).toBe('second');
    expect(callsOf('first.newOrder')).toBe(2);
  });

  it('is not asked where the first only wants a moment', async () => {
    await world.want();
    const busy = problemError({ type: 'rateLimited' }, 429, t0 + minute / 2);
    world.gate.once('first.newOrder', failing(busy));
    await world.live(3 * minute);
    expect(await issuerOf()).toBe('first');
    expect(world.second.orders).toEqual([]);
  });

  it('is asked where what the first delivers is never the certificate that was ordered', async () => {
    await world.want();
    world.gate.always('first.certificate', async () => 'no certificate');
    await world.live(day);
    expect(await issuerOf()).toBe('second');
  });
});

describe('the breaker of an issuer', () => {
  it('opens after three outages in a row over several lineages: the others go on to the next one', async () => {
    await world.want({}, hosts(6));
    world.gate.always('first.newOrder', down);
    await world.work();
    const issued = await Promise.all(hosts(6).map((host) => issuerOf(idOf(host))));
    // The third one saw it open; a probe was let through after it.
    expect(issued.filter((issuer) => issuer === 'second').length).toBeGreaterThanOrEqual(4);
    expect(callsOf('first.newOrder')).toBeLessThanOrEqual(4);
  });

  it('lets probes through on one ladder, however many wait behind it', async () => {
    for (const count of [4, 40]) {
      const cheap = openCheapWorld();
      cheap.gate.always('first.newOrder', down);
      await cheap.want({ issuers: ['first'] }, hosts(count));
      await cheap.live(day);
      const asked = cheap.gate.calls.filter((call) => call === 'first.newOrder').length;
      expect(asked).toBeGreaterThanOrEqual(20);
      expect(asked).toBeLessThanOrEqual(29 + 6);
      // Each looks once or twice an hour, in case that the prober got lost.
      const jobs = cheap.gate.calls.filter((call) => call === 'locks.tryAcquire').length;
      expect(jobs).toBeLessThanOrEqual(count * 2 * 24 * 2);
    }
  });

  it('is no ladder of those that probe: what they see there is not counted as theirs', async () => {
    await world.want({ issuers: ['first'] }, hosts(6));
    world.gate.always('first.newOrder', down);
    await world.live(day);
    const states = await world.store.renewals.many(hosts(6).map(idOf));
    expect(Math.max(...states.map(({ failures }) => failures))).toBeLessThanOrEqual(3);
    expect(await world.events('certificate.failed')).not.toHaveLength(0);
    expect((await world.events('certificate.failed')).length).toBeLessThanOrEqual(callsOf('first.newOrder'));
  });

  it('closes within the time that the issuer was away, and within an hour: all are issued then', async () => {
    for (const away of [5 * minute, 20 * minute, 3 * hour, 5 * day])
      for (const count of [1, 30]) {
        const cheap = openCheapWorld();
        const isBack = () => cheap.clock.now() >= t0 + away;
        cheap.gate.always('first.newOrder', async (proceed) => {
          if (isBack()) return proceed();
          throw new AgentError('acme.server', 'the CA answers 503');
        });
        await cheap.want({ issuers: ['first'] }, hosts(count));
        // A lineage alone goes by its own three steps first.
        await cheap.live(away + Math.min(Math.max(away, 100 * minute), hour + 40 * minute) + 7 * minute);
        expect(cheap.first.finalized()).toHaveLength(count);
      }
  });

  it('lets somebody who asks probe at once, and of many who ask one in half a minute', async () => {
    await world.want({ issuers: ['first'] }, hosts(6));
    world.gate.always('first.newOrder', down);
    await world.live(10 * minute);
    const before = callsOf('first.newOrder');
    for (let times = 0; times < 6; times++) {
      for (const host of hosts(6)) await world.ask(false, undefined, idOf(host));
      await world.work();
      await world.pass(5_000);
    }
    expect(callsOf('first.newOrder') - before).toBe(1);
    await world.pass(minute);
    world.gate.always('first.newOrder', undefined);
    await world.ask(false, undefined, idOf('h1.example.com'));
    await world.live(3 * minute);
    expect(world.first.finalized()).toHaveLength(6);
  });

  it('closes with the first order that goes through, and all follow', async () => {
    await world.want({ issuers: ['first'] }, hosts(6));
    world.gate.always('first.newOrder', down);
    await world.live(5 * minute);
    world.gate.always('first.newOrder', undefined);
    await world.live(10 * minute);
    const issued = await Promise.all(hosts(6).map((host) => issuerOf(idOf(host))));
    expect(issued).toEqual(hosts(6).map(() => 'first'));
    expect(await world.store.issuerHealth.openedAt(['first'])).toEqual([undefined]);
  });

  it('closes too where the CA answers again, though only to refuse: all are asked for at once', async () => {
    await world.want({ issuers: ['first'] }, hosts(6));
    world.gate.always('first.newOrder', down);
    await world.live(5 * minute);
    const before = callsOf('first.newOrder');
    const refusal = problemError({ type: 'rejectedIdentifier', detail: 'not these names' });
    world.gate.always('first.newOrder', failing(refusal));
    await world.live(10 * minute);
    expect(await world.store.issuerHealth.openedAt(['first'])).toEqual([undefined]);
    expect(callsOf('first.newOrder') - before).toBe(6);
  });

  it('closes to those first whose certificates expire first', async () => {
    for (const [index, host] of hosts(6).entries()) {
      world.first.ways.lifetimeMs = (90 - 10 * index) * day;
      await world.want({ issuers: ['first'] }, [host]);
      await world.work();
    }
    world.gate.always('first.newOrder', down);
    for (const host of hosts(6)) await world.ask(true, undefined, idOf(host));
    await world.live(20 * minute);
    world.gate.always('first.newOrder', undefined);
    await world.ask(true, undefined, idOf('h3.example.com'));
    await world.live(3 * minute);
    const others = [5, 4, 2, 1, 0].map((index) => `h${index}.example.com`);
    const ordered = world.first.orders.slice(6).flatMap(({ asked }) => asked.names);
    expect(ordered).toEqual(['h3.example.com', ...others]);
  });

  it('keeps nobody from hearing of those that wait behind it: they count as failing, and reminders go out', async () => {
    for (let faults = 0; faults < 3; faults++) await world.store.issuerHealth.fault('first');
    const others: Step = async (proceed, [takes]) =>
      (takes as BucketTake[])[0]?.key.startsWith('probe:first:')
        ? { taken: false, readyAt: world.clock.now(), lacking: [] }
        : proceed();
    world.gate.always('buckets.take', others);
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    const state = await world.store.renewals.get(www);
    expect(state).toMatchObject({
      failures: 0,
      lastFailure: { message: expect.stringMatching(/^first failed/) },
    });
    expect(state.failingSince).toBeLessThan(t0 + minute);
    await world.live(day + hour);
    expect(callsOf('first.newOrder')).toBe(0);
    expect(await world.events('certificate.reminder', www)).toHaveLength(1);
    await world.live(day);
    expect(await world.events('certificate.reminder', www)).toHaveLength(2);
  });

  it('does not open for verdicts about names', async () => {
    await world.want({}, hosts(5));
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    await world.work();
    expect(await world.store.issuerHealth.openedAt(['first'])).toEqual([undefined]);
    expect(world.first.orders).toHaveLength(5);
    expect(world.second.orders).toEqual([]);
  });
});
