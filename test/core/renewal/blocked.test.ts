import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
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

const down = new AgentError('acme.server', 'the CA answers 503');
const closed = new AgentError('acme.account', 'the account is deactivated');
const taken = { type: 'unauthorized', detail: 'somebody else answered' };

/** Hours since the start at which an issuer was asked for an order. */
function asks(issuer: 'first' | 'second', error: Error | undefined): readonly number[] {
  const at: number[] = [];
  world.gate.always(`${issuer}.newOrder`, async (proceed) => {
    at.push((world.clock.now() - t0) / hour);
    if (error !== undefined) throw error;
    return proceed();
  });
  return at;
}

function pauses(at: readonly number[]): readonly number[] {
  return at.slice(1).map((one, index) => Math.round(one - (at[index] ?? 0)));
}

describe('an issuer that only a person can bring to issue', () => {
  it('is asked once a day where the other one is one, too', async () => {
    const [first, second] = [asks('first', closed), asks('second', closed)];
    await world.want();
    await world.live(3 * day + hour);
    expect(pauses(first)).toEqual([24, 24, 24]);
    expect(pauses(second)).toEqual([24, 24, 24]);
    expect(second[0]).toBeCloseTo(first[0] ?? 0, 1);
  });

  it('is asked once a day while the other one is down and asked by its ladder', async () => {
    const [first, second] = [asks('first', closed), asks('second', down)];
    await world.want();
    await world.live(4 * day + 3 * hour);
    expect(first.length).toBeGreaterThanOrEqual(4);
    expect(Math.min(...pauses(first))).toBeGreaterThanOrEqual(24);
    expect(second.slice(0, 3).map((at) => Math.round(at * 60))).toEqual([0, 10, 110]);
    expect(second.length).toBeGreaterThanOrEqual(6);
  });

  it('is asked once a day while the other one is down, also as expiry comes near', async () => {
    await world.want();
    await world.work();
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    await world.live(notAfter - 30 * day - 5 * minute - world.clock.now());
    const [first, second] = [asks('first', closed), asks('second', down)];
    await world.live(33 * day);
    expect(second.length).toBeGreaterThan(60);
    expect(Math.min(...pauses(first))).toBeGreaterThanOrEqual(24);
    expect(Math.max(...pauses(first))).toBeLessThanOrEqual(2 * 24);
  });

  it('is asked once a day while what the other one says about the name is no', async () => {
    const first = asks('first', closed);
    world.second.ways.verdict = () => taken;
    await world.want();
    await world.live(4 * day + 3 * hour);
    expect(first.length).toBeGreaterThanOrEqual(4);
    expect(Math.min(...pauses(first))).toBeGreaterThanOrEqual(24);
    const ordered = world.second.orders.map(({ createdAt }) => Math.round((createdAt - t0) / minute));
    expect(ordered.slice(0, 3)).toEqual([0, 10, 110]);
    expect(ordered).toHaveLength(7);
  });

  it('gets its order within a day of being mended, though the other one still fails', async () => {
    asks('second', down);
    world.gate.always('first.newOrder', failing(closed));
    await world.want();
    await world.live(2 * day + 5 * hour);
    world.gate.always('first.newOrder', undefined);
    await world.live(day + hour);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ issuer: 'first' });
    expect((await world.store.renewals.get(www)).failures).toBe(0);
  });

  it('is asked at once when the domain is edited, or somebody asks and there is no other', async () => {
    const first = asks('first', closed);
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    expect(first).toHaveLength(1);
    await world.ask(false);
    await world.work();
    expect(first).toHaveLength(2);
    await world.want({ issuers: ['first'], contacts: ['other@example.com'], keyTypes: ['p384'] });
    await world.work();
    expect(first).toHaveLength(3);
  });

  it('does not make a verdict on the name by the only other one a reason to ask that sooner', async () => {
    const [first, second] = [asks('first', undefined), asks('second', closed)];
    world.first.ways.verdict = () => taken;
    await world.want();
    await world.live(2 * day);
    expect(second).toEqual([]);
    expect(first.map((at) => Math.round(at * 60)).slice(0, 4)).toEqual([0, 1, 11, 111]);
  });
});
