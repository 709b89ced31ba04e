import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { until as happened } from '../../support/process.ts';
import { expectPeace, until } from '../fault-kit.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { startWiredWorlds, type WiredWorld, type WiredWorlds } from '../wired-world.ts';
import { openCheapWorld, www } from '../world.ts';

let worlds: WiredWorlds;
let world: WiredWorld;

beforeAll(async () => {
  worlds = await startWiredWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const orders = () => [world.first.orders.length, world.first.finalized().length];
const polls = () => world.wire.first.counts().order ?? 0;

describe('a CA that is long in making the certificate', () => {
  it.each([
    ['twenty minutes', 20 * minute],
    ['five hours', 5 * hour],
    ['two days', 2 * day],
  ])('%s: the same order is looked at now and then, and brings it soon after', async (_, ms) => {
    world.first.ways.processingMs = ms;
    await world.want({ issuers: ['first'] });
    await world.live(ms + hour + 10 * minute);
    await expectPeace(world);
    expect(orders()).toEqual([1, 1]);
    expect(polls()).toBeLessThanOrEqual(42 + ms / (40 * minute));
    expect(Math.max(...world.held)).toBeLessThanOrEqual(12_000);
    const { issuedAt = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    const lateMs = issuedAt - (world.first.orders[0]?.validAt ?? 0);
    expect(lateMs).toBeLessThanOrEqual(Math.min(Math.max(ms / 8, 11 * minute), hour + minute));
  });

  it('and answers only then, after 25 s: the job is gone long before, and its request is not cut off', async () => {
    const takes = world.takes(25_000);
    const finalize = world.wire.first.delay('finalize', async (hungUp, call) => {
      await takes(hungUp, call);
      const acted = happened('the CA acted', () => world.first.finalized().length > 0, 10_000);
      world.gate.track(acted.catch(() => undefined));
    });
    await world.want({ issuers: ['first'] });
    await world.live(5 * minute);
    await expectPeace(world);
    expect(await world.events('certificate.failed')).toEqual([]);
    expect([finalize.met, world.wire.first.counts().finalize]).toEqual([1, 1]);
    expect(orders()).toEqual([1, 1]);
    expect(Math.max(...world.held)).toBeLessThanOrEqual(10_500);
  });

  it('and says only after 25 s where a new order is: no job waits for that, none asks for another one, and the next goes on', async () => {
    const newOrder = world.wire.first.delay('newOrder', world.takes(25_000));
    await world.want({ issuers: ['first'] });
    await world.renew();
    expect(await world.store.issuances.get(www)).not.toHaveProperty('orderUrl');
    expect(await world.renew()).toEqual({ again: world.clock.now() + 5000 });
    await world.live(5 * minute);
    await expectPeace(world);
    expect(await world.events('certificate.failed')).toEqual([]);
    expect([newOrder.met, world.wire.first.counts().newOrder]).toEqual([1, 1]);
    expect(orders()).toEqual([1, 1]);
    expect(Math.max(...world.held)).toBeLessThanOrEqual(10_500);
  });

  it("is asked after between the attempts, which are those of its issuer's ladder from the third on", async () => {
    world.first.ways.processingMs = 2 * day;
    await world.want({ issuers: ['first'] });
    await world.live(9 * hour);
    const { failures, retryAt = 0 } = await world.store.renewals.get(www);
    // After an hour, and 1 and 10 minutes later; then its issuer is one that does not work.
    expect(failures).toBe(3);
    expect(retryAt - world.clock.now()).toBeLessThanOrEqual(hour);
    const nextAt = (await world.store.due.at('issue', www)) ?? 0;
    expect(nextAt - world.clock.now()).toBeLessThanOrEqual(hour);
  });

  it('and is away for hours meanwhile: nothing is lost, and no attempt counted for that', async () => {
    world.first.ways.processingMs = 5 * hour;
    await world.want({ issuers: ['first'] });
    await world.live(3 * hour);
    const { failures } = await world.store.renewals.get(www);
    const away = world.wire.first.status(until(t0 + 6 * hour, 'order'), () => ({ code: 500, body: 'busy' }));
    await world.live(3 * hour - minute);
    expect((await world.store.renewals.get(www)).failures).toBe(failures);
    expect(away.met).toBeGreaterThanOrEqual(5);
    expect(away.met).toBeLessThanOrEqual(5 * 18);
    await world.live(hour);
    await expectPeace(world);
    expect(orders()).toEqual([1, 1]);
  });

  it('and asks to be left alone is asked after no sooner than in an hour, not even by a command', async () => {
    world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits: {} });
    world.first.ways.processingMs = 3 * hour;
    await world.want({ issuers: ['first'] });
    await world.live(90 * minute);
    const busy = world.wire.first.status(until(t0 + 6 * hour, 'order'), ({ at }) => ({
      code: 503,
      headers: { 'retry-after': `${Math.round((t0 + 6 * hour - at) / 1000)}` },
      body: 'later',
    }));
    await world.live(2 * hour);
    await world.ask(false);
    await world.live(2.4 * hour);
    expect(busy.met).toBe(5);
    await world.live(hour);
    await expectPeace(world);
    expect(orders()).toEqual([1, 1]);
  });

  it('but whose order has expired by its own word is asked after by the ladder alone', async () => {
    world.first.ways.processingMs = 365 * day;
    world.first.ways.orderLife = { ms: 2 * hour, end: 'invalid' };
    await world.want({ issuers: ['first'] });
    await world.live(4 * hour);
    const before = polls();
    await world.live(16 * hour);
    expect(polls()).toBe(before);
  });

  it('for days: people are told that nothing comes of it, and it is not ordered anew', async () => {
    world.first.ways.processingMs = 5 * day;
    await world.want({ issuers: ['first'] });
    await world.live(3 * day);
    expect(await world.store.renewals.get(www)).toMatchObject({
      lastFailure: { message: expect.stringContaining('first') },
    });
    expect((await world.events('certificate.reminder')).length).toBeGreaterThanOrEqual(1);
    expect(orders()).toEqual([1, 1]);
    await world.live(4 * day);
    await expectPeace(world);
    expect(orders()).toEqual([1, 1]);
  });

  it('and then fails for more than a week: its order is given up for a new one', async () => {
    const cheap = openCheapWorld();
    await cheap.want({ issuers: ['first'] });
    const down = failing(new AgentError('acme.server', 'the CA answers 500'));
    cheap.gate.always('first.finalize', down);
    await cheap.live(6 * day);
    expect(cheap.first.orders).toHaveLength(1);
    await cheap.live(2 * day);
    expect(cheap.first.orders).toHaveLength(2);
  });

  it('gives way to the next one, where there is one', async () => {
    world.first.ways.processingMs = 365 * day;
    await world.want();
    await world.live(6 * hour);
    await expectPeace(world);
    expect((await world.store.certificates.certificate(www))?.issuer).toBe('second');
    expect(orders()).toEqual([1, 1]);
  });
});
