import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { RenewalInfo } from '../../../src/core/ports.ts';
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

const explanationUrl = 'https://ca.test/incident';

/** From now on the CA says this of every certificate. */
function advise(info: Partial<RenewalInfo> & Pick<RenewalInfo, 'start' | 'end'>): void {
  world.first.ways.advice = () => ({ retryAfterMs: 6 * hour, ...info });
}

async function serial(): Promise<string | undefined> {
  return (await world.store.certificates.certificate(www))?.serial;
}

describe('renewal information', () => {
  it('is asked for soon after issuance, and then as often as the CA says', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day });
    await world.want();
    await world.live(2 * day);
    const [first, second, third] = world.first.consulted;
    expect((first ?? 0) - t0).toBeLessThan(3 * minute);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(6 * hour);
    expect((second ?? 0) - (first ?? 0)).toBeLessThan(6 * hour + 2 * minute);
    expect((third ?? 0) - (second ?? 0)).toBeLessThan(6 * hour + 2 * minute);
  });

  it('is not asked of another CA to which the name of its issuer has passed', async () => {
    const facts = (url: string) => ({ first: { directoryUrl: url, mark: url } });
    world.settings.issuerFacts = facts('https://staging.test/directory');
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    const before = world.first.consulted.length;
    expect(before).toBeGreaterThan(0);
    world.settings.issuerFacts = facts('https://first.test/directory');
    world.gate.always('first.newOrder', failing(new AgentError('order.rejectedIdentifier', 'not here')));
    await world.want({ issuers: ['first'] });
    await world.live(2 * day);
    expect(world.first.consulted).toHaveLength(before);
  });

  it('is asked for every six hours where the CA gives none, in case it begins to', async () => {
    await world.want();
    await world.live(day);
    expect(world.first.consulted.length).toBe(4);
    expect(world.first.orders).toHaveLength(1);
  });

  it('leads to a renewal at the instant chosen, to the minute, with one order', async () => {
    const start = t0 + 70 * day;
    advise({ start, end: start + 3 * hour });
    await world.want();
    await world.live(69 * day);
    expect(world.first.orders).toHaveLength(1);
    world.first.ways.advice = (id) =>
      world.first.finalized().length === 1 && id !== ''
        ? { start, end: start + 3 * hour, retryAfterMs: 6 * hour }
        : undefined;
    await world.live(3 * day);
    expect(world.first.orders).toHaveLength(2);
    const at = world.first.orders[1]?.createdAt ?? 0;
    expect(at).toBeGreaterThanOrEqual(start + 1.5 * hour);
    expect(at).toBeLessThan(start + 1.5 * hour + 2 * minute);
    expect(world.first.orders[1]?.asked.replaces).toBeDefined();
  });

  it('renews a certificate within one tick of the poll that shows its window in the past', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: hour });
    await world.want();
    await world.live(10 * day);
    const before = await serial();
    world.first.ways.advice = (() => {
      let told = 0;
      return () =>
        told++ === 0
          ? { start: t0, end: t0 + hour, explanationUrl, retryAfterMs: 6 * hour }
          : { start: t0 + 75 * day, end: t0 + 76 * day, retryAfterMs: 6 * hour };
    })();
    const asked = world.first.consulted.length;
    await world.live(hour + 2 * minute);
    expect(world.first.consulted.length).toBeGreaterThan(asked);
    expect(await serial()).not.toBe(before);
    expect(world.first.orders).toHaveLength(2);
    const [told] = (await world.events('certificate.window', www)).slice(-2);
    expect(told?.facts).toMatchObject({ explanationUrl, start: t0, renewAt: expect.any(Number) });
  });

  it('is told to people once where the CA says why, and not where it only names a window', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: hour });
    await world.want();
    await world.live(2 * hour);
    expect(world.mail.messages).toEqual([]);
    advise({ start: t0 + 50 * day, end: t0 + 51 * day, explanationUrl, retryAfterMs: hour });
    await world.live(2 * hour);
    advise({ start: t0 + 40 * day, end: t0 + 41 * day, explanationUrl, retryAfterMs: hour });
    await world.live(5 * hour);
    expect(await world.events('certificate.window', www)).toHaveLength(3);
    for (const { messages } of [world.mail, world.hook])
      expect(messages.flatMap(({ notices }) => notices)).toMatchObject([
        { kind: 'advice', issuer: 'first', message: expect.stringContaining(explanationUrl) },
      ]);
  });

  it('that cannot be had leaves the last advice in force and is asked for six hours later', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: hour });
    await world.want();
    await world.live(hour / 2);
    const { window } = await world.store.renewals.get(www);
    expect(window).toBeDefined();
    world.gate.once('acme.renewalInfo', failing(new AgentError('acme.network', 'the CA is away')));
    const asked = world.first.consulted.length;
    await world.live(5 * hour);
    expect((await world.store.renewals.get(www)).window).toEqual(window);
    expect(world.first.consulted.length).toBe(asked);
    await world.live(3 * hour);
    expect(world.first.consulted.length).toBeGreaterThan(asked);
  });

  it.each([
    [429, 20 * minute, 20 * minute],
    [503, 2 * hour, 2 * hour],
    [503, 5000, minute],
    [503, 300 * day, 12 * hour],
    [500, minute, 6 * hour],
  ])(
    'that is refused with %i and Retry-After %i ms is asked for again after %i ms',
    async (status, after, pause) => {
      const window = { start: t0 + 65 * day, end: t0 + 66 * day };
      advise({ ...window, retryAfterMs: hour });
      await world.want();
      await world.live(hour / 2);
      const asked: number[] = [];
      world.gate.always('acme.renewalInfo', async () => {
        const now = world.clock.now();
        asked.push(now);
        throw new AgentError('acme.server', 'busy', { retryAt: now + after, facts: { status } });
      });
      await world.live(15 * hour);
      expect((await world.store.renewals.get(www)).window).toMatchObject(window);
      const [first = 0, second = 0] = asked;
      expect(second - first).toBeGreaterThanOrEqual(pause);
      expect(second - first).toBeLessThan(pause + 2 * minute);
    },
  );

  it.each([429, 503])(
    'that a CA puts off with %i and a Retry-After of nothing or of the past is asked for less and less, until it answers',
    async (status) => {
      const window = { start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: 6 * hour };
      await world.want();
      const asked: number[] = [];
      let isBusy = true;
      world.gate.always('acme.renewalInfo', async () => {
        const now = world.clock.now();
        asked.push(now);
        if (!isBusy) return window;
        const retryAt = asked.length % 2 === 0 ? now : now - day;
        throw new AgentError('acme.server', 'busy', { retryAt, facts: { status } });
      });
      await world.live(day);
      const pauses = () => asked.slice(1).map((at, index) => Math.round((at - (asked[index] ?? 0)) / minute));
      expect(pauses().map((pause) => Math.floor(pause / 10) * 10)).toEqual([0, 10, 100, 360, 360, 360]);
      isBusy = false;
      await world.live(7 * hour);
      expect((await world.store.renewals.get(www)).window).toMatchObject({ start: window.start });
      isBusy = true;
      asked.length = 0;
      await world.live(6 * hour + 15 * minute);
      expect(pauses()[0]).toBeLessThan(3);
    },
  );

  it('is not asked for while an order for the successor is under way (RFC 9773 §4.3)', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: minute });
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    world.first.ways.processingMs = 30 * minute;
    await world.ask(true);
    await world.work();
    const before = world.first.consulted.length;
    await world.live(25 * minute);
    expect(world.first.consulted).toHaveLength(before);
    await world.live(hour);
    expect(world.first.finalized()).toHaveLength(2);
    expect(world.first.consulted.length).toBeGreaterThan(before);
  });

  it('is not asked for after expiry', async () => {
    world.first.ways.lifetimeMs = 6 * day;
    advise({ start: t0 + 3 * day, end: t0 + 3 * day + 3 * hour });
    await world.want({ issuers: ['first'] });
    await world.renew();
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.live(8 * day);
    const last = world.first.consulted.at(-1) ?? 0;
    expect(last).toBeLessThan(t0 + 6 * day);
    expect(last).toBeGreaterThan(t0 + 5 * day);
  });

  it('does not skip the ladder: an advised renewal that fails waits like any other', async () => {
    await world.want({ issuers: ['first'] });
    await world.renew();
    advise({ start: t0 - day, end: t0 - hour });
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.live(2 * hour);
    const orders = world.first.orders.slice(1).map(({ createdAt }) => Math.round((createdAt - t0) / minute));
    expect(orders).toHaveLength(4);
    expect((orders[1] ?? 0) - (orders[0] ?? 0)).toBe(1);
    expect((orders[2] ?? 0) - (orders[1] ?? 0)).toBe(10);
    expect((orders[3] ?? 0) - (orders[2] ?? 0)).toBe(100);
  });

  it('of a CA whose windows all lie in the past is followed at once, and then no more than twice a day', async () => {
    await world.want({ issuers: ['first'] });
    advise({ start: t0 - 2 * day, end: t0 - day });
    await world.live(3 * day);
    const instants = world.first.orders.map(({ createdAt }) => createdAt);
    expect((instants[1] ?? 0) - (instants[0] ?? 0)).toBeLessThan(5 * minute);
    expect((instants[2] ?? 0) - (instants[1] ?? 0)).toBeGreaterThan(11 * hour);
    expect(instants.length).toBeLessThanOrEqual(8);
  });

  it('that moves a window into the past is followed at once, also soon after a person had it renewed', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day, retryAfterMs: minute });
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await world.ask(true);
    await world.live(10 * minute);
    expect(world.first.orders).toHaveLength(2);
    advise({ start: t0 - 2 * day, end: t0 - day, retryAfterMs: hour });
    await world.live(5 * minute);
    expect(world.first.orders.length).toBeGreaterThan(2);
  });

  it('is asked for also while a forced wish that failed waits for its turn', async () => {
    advise({ start: t0 + 65 * day, end: t0 + 66 * day });
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    const limited = new AgentError('acme.rateLimited', 'too many', { retryAt: t0 + 5 * day });
    world.gate.once('first.newOrder', failing(limited));
    await world.ask(true);
    await world.live(hour);
    const asked = world.first.consulted.length;
    await world.live(2 * day);
    expect(world.first.consulted.length).toBeGreaterThan(asked + 6);
    expect(world.first.orders).toHaveLength(1);
  });
});
