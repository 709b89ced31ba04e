import { describe, expect, it } from 'vitest';
import { eachWiredWorld } from '../each-world.ts';
import { always, attempts, date, expectPeace, problem, until } from '../fault-kit.ts';
import { hour, minute, t0 } from '../given.ts';
import type { WiredWorld } from '../wired-world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

const codes = async () => (await world.events('certificate.failed')).map(({ facts }) => facts.code);

describe('an order that expires', () => {
  it.each([
    ['invalid', 'order.expired'],
    ['gone', 'acme.malformed'],
  ] as const)('and is %s after an outage is made again', async (end, code) => {
    world.first.ways.orderLife = { ms: 5 * minute, end };
    world.wire.first.status(until(t0 + 8 * minute, 'finalize'), () => ({ code: 500, body: 'busy' }));
    await world.want({ issuers: ['first'] });
    await world.live(3 * hour);
    await expectPeace(world);
    expect(await codes()).toEqual(['acme.server', 'acme.server', code]);
    expect([world.first.orders.length, world.first.finalized().length]).toEqual([2, 1]);
  });
});

describe('a clock', () => {
  it.each([
    ['an hour ahead', hour],
    ['an hour behind', -hour],
  ])('%s: the certificate is issued at once, and limits end when the CA says', async (_, off) => {
    world.clock.jump(off);
    const limit = world.wire.first.status(until(t0 + 20 * minute, 'newOrder'), ({ at }) => ({
      code: 429,
      headers: { 'retry-after': date(t0 + 20 * minute), date: date(at) },
      body: problem('rateLimited'),
      nonce: true,
    }));
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await expectPeace(world);
    expect(limit.met).toBe(1);
    expect(attempts(world.wire.first.calls, t0)).toEqual([0, 20]);
  });

  it.each(['newOrder', 'authz', 'chall', 'order', 'finalize', 'cert'] as const)(
    'that is set back by an hour at %s: the order goes on',
    async (kind) => {
      let isSet = false;
      world.wire.first.status(
        (call) => {
          if (call.kind === kind && !isSet) world.clock.jump(-hour);
          isSet ||= call.kind === kind;
          return false;
        },
        { code: 500 },
      );
      world.first.ways.validationMs = 3000;
      await world.want({ issuers: ['first'] });
      await world.live(3 * hour);
      await expectPeace(world);
      expect([world.first.orders.length, world.first.finalized().length]).toEqual([1, 1]);
    },
  );
});

describe('a slow CA', () => {
  it('that takes eight seconds for each answer is not given up', async () => {
    world.wire.first.delay(() => true, world.takes(8000), always);
    await world.want({ issuers: ['first'] });
    await world.live(10 * minute);
    await expectPeace(world);
    expect(await codes()).toEqual([]);
  });

  it('whose answers come byte by byte is understood', async () => {
    world.wire.first.drip(() => true, { pieces: 40, pauseMs: 1 }, always);
    await world.want({ issuers: ['first'] });
    await world.live(10 * minute);
    await expectPeace(world);
    expect(await codes()).toEqual([]);
  });
});
