import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { refreshDue } from '../../src/core/renewal/due-index.ts';
import { expectPeace } from '../core/fault-kit.ts';
import { day, hour, minute } from '../core/given.ts';
import { startWiredWorlds, type WiredWorld, type WiredWorlds } from '../core/wired-world.ts';
import { www } from '../core/world.ts';

let worlds: WiredWorlds;
let world: WiredWorld;

beforeAll(async () => {
  worlds = await startWiredWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const jumps = [
  ['ahead by an hour', hour],
  ['ahead by forty days', 40 * day],
  ['back by an hour', -hour],
  ['back by thirty days', -30 * day],
] as const;

/** The tick asks for the due index anew when it sees that the clock was set back. */
async function seen(): Promise<void> {
  await world.run(refreshDue(world.needs));
}

/** The clock is set at the first call of this kind, and found to be wrong an hour later. */
async function orderAcross(kind: 'authz' | 'finalize', ms: number): Promise<void> {
  let isSet = false;
  world.wire.first.status(
    (call) => {
      if (call.kind === kind && !isSet) world.clock.jump(ms);
      isSet ||= call.kind === kind;
      return false;
    },
    { code: 500 },
  );
  world.first.ways.validationMs = 3000;
  await world.want({ issuers: ['first'] });
  await world.work();
  expect(isSet).toBe(true);
  await seen();
  await world.live(hour);
}

describe.each(jumps)('a clock that is set %s during an order and put right an hour later', (_, ms) => {
  it.each(['authz', 'finalize'] as const)(
    'at %s: one certificate is in use in the end, and orders stay few',
    async (kind) => {
      await orderAcross(kind, ms);
      world.clock.jump(-ms);
      await seen();
      await world.live(3 * hour);
      await expectPeace(world);
      // What seems not to be valid yet is not used; the order that brought it is asked for an hour, then made anew.
      const isFuture = ms === -30 * day;
      expect(world.first.orders.length).toBeLessThanOrEqual(isFuture ? 3 : 1);
      expect(Math.max(...world.held)).toBeLessThanOrEqual(12_000);
    },
  );
});

describe.each(jumps)('a clock that is set %s while orders fail, and put right a day later', (_, ms) => {
  it('leaves nothing waiting for an instant that only the wrong clock knew', async () => {
    world.first.ways.verdict = () => ({ type: 'dns', detail: 'NXDOMAIN' });
    await world.want({ issuers: ['first'] });
    await world.live(5 * minute);
    world.clock.jump(ms);
    await seen();
    await world.live(day);
    world.first.ways.verdict = () => undefined;
    world.clock.jump(-ms);
    await seen();
    await world.live(day + 3 * hour);
    await expectPeace(world);
    expect(world.first.orders.length).toBeLessThanOrEqual(8);
  });
});

describe.each(jumps)('a clock that is set %s between renewals', (_, ms) => {
  it('and put right a day later: renewals go on as if nothing had been', async () => {
    world.first.ways.hasRenewalInfo = false;
    await world.want({ issuers: ['first'] });
    await world.live(10 * day);
    world.clock.jump(ms);
    await seen();
    await world.live(day);
    expect(await world.events('certificate.failed')).toEqual([]);
    world.clock.jump(-ms);
    await seen();
    await world.live(88 * day);
    await expectPeace(world);
    // One more where the wrong clock came near the renewal point.
    expect(world.first.finalized().length).toBeLessThanOrEqual(3);
    expect(world.first.finalized().length).toBeGreaterThanOrEqual(2);
  });
});

describe.each(jumps.slice(0, 3))('a clock that is set %s and stays there', (_, ms) => {
  it('renews what is held in time', async () => {
    world.first.ways.hasRenewalInfo = false;
    await world.want({ issuers: ['first'] });
    await world.live(10 * day);
    world.clock.jump(ms);
    await seen();
    const served: boolean[] = [];
    for (let weeks = 0; weeks < 12; weeks++) {
      await world.live(7 * day);
      const { notAfter = 0 } = world.web.shows(www)?.certificate ?? {};
      served.push(notAfter > world.clock.trueNow() + day);
    }
    expect(served).not.toContain(false);
    await expectPeace(world);
  });
});

describe('a clock that is thirty days behind while the first certificate is ordered', () => {
  it('is a failure on the ladder that people hear of, and costs the CA few orders, until it is put right', async () => {
    world.clock.jump(-30 * day);
    await world.want({ issuers: ['first'] });
    await world.live(3 * day);
    const [failed] = await world.events('certificate.failed');
    expect(failed?.facts.message).toContain('not valid before');
    expect(world.first.orders.length).toBeLessThanOrEqual(5);
    expect((await world.events('certificate.reminder')).length).toBeGreaterThanOrEqual(2);
    world.clock.jump(30 * day);
    await world.live(day + 3 * hour);
    await expectPeace(world);
    await world.live(minute);
    expect(await world.events('certificate.recovered')).toHaveLength(1);
  });
});
