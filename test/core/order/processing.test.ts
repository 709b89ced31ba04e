import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectPeace } from '../fault-kit.ts';
import { day, hour, minute } from '../given.ts';
import { startWiredWorlds, type WiredWorld, type WiredWorlds } from '../wired-world.ts';
import { www } from '../world.ts';

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
  ])('%s: the same order is looked at now and then, and brings it in the end', async (_, ms) => {
    world.first.ways.processingMs = ms;
    await world.want({ issuers: ['first'] });
    await world.live(ms + day + hour);
    await expectPeace(world);
    expect(orders()).toEqual([1, 1]);
    expect(polls()).toBeLessThanOrEqual(50);
    expect(Math.max(...world.held)).toBeLessThanOrEqual(12_000);
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

  it('gives way to the next one, where there is one', async () => {
    world.first.ways.processingMs = 365 * day;
    await world.want();
    await world.live(6 * hour);
    await expectPeace(world);
    expect((await world.store.certificates.certificate(www))?.issuer).toBe('second');
    expect(orders()).toEqual([1, 1]);
  });
});
