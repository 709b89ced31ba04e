import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { failing } from '../core/gate.ts';
import { day, hour, minute } from '../core/given.ts';
import { problemError } from '../core/scripted-ca.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const generation = async () => (await world.store.certificates.certificate(www))?.generation;

/** Issued, and looked at by what is due. */
async function held(): Promise<{ readonly notAfter: number; readonly renewAt: number }> {
  await world.want({ issuers: ['first'] });
  await world.live(10 * minute);
  const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
  const { renewAt = 0 } = await world.store.renewals.get(www);
  return { notAfter, renewAt };
}

describe('"replaces" that the CA refuses', () => {
  it.each([
    ['as taken by another order', problemError({ type: 'alreadyReplaced' }, 409)],
    ['as that of another account', problemError({ type: 'unauthorized' }, 403)],
    ['as malformed', problemError({ type: 'malformed' }, 400)],
    ['with an internal error', problemError({ type: 'serverInternal' }, 500)],
  ])('%s does not stop the renewal until expiry: one order more, without it', async (_, refusal) => {
    const { renewAt } = await held();
    const asked: unknown[] = [];
    world.gate.always('first.newOrder', async (proceed, [order]) => {
      const { replaces } = order as { readonly replaces?: string };
      asked.push(replaces);
      if (replaces !== undefined) throw refusal;
      return proceed();
    });
    await world.live(renewAt + hour - world.clock.now());
    expect(await generation()).toBe(2);
    expect(asked).toEqual([expect.any(String), undefined]);
    expect((await world.store.renewals.get(www)).failures).toBe(0);
  });
});

describe('a renewal service of the CA', () => {
  it.each([
    ['answers 500', new AgentError('acme.server', 'the CA answers 500')],
    ['answers nonsense', new AgentError('acme.response', 'the answer is no advice')],
    ['cannot be reached', new AgentError('acme.network', 'no route')],
  ])('that %s for months stops no renewal', async (_, error) => {
    world.gate.always('acme.renewalInfo', failing(error));
    const { renewAt } = await held();
    await world.live(renewAt + minute - world.clock.now());
    expect(await generation()).toBe(2);
    expect(await world.events('certificate.failed')).toEqual([]);
  });

  it('that moves the window of a certificate has it renewed, though its scheduled time is weeks away', async () => {
    const { notAfter, renewAt } = await held();
    let window = { start: notAfter - 20 * day, end: notAfter - 19 * day, retryAfterMs: 6 * hour };
    world.first.ways.advice = () => window;
    await world.live(13 * hour);
    expect((await world.store.renewals.get(www)).renewAt).toBeGreaterThan(renewAt);
    window = { ...window, start: world.clock.now() - day, end: world.clock.now() - hour };
    await world.live(6 * hour + minute);
    expect(await generation()).toBe(2);
  });

  it('is not asked at every run, and the instant drawn from its window outlives them', async () => {
    const { notAfter } = await held();
    const window = { start: notAfter - 40 * day, end: notAfter - 20 * day, retryAfterMs: 11 * hour };
    world.first.ways.advice = () => window;
    // Each draw is another one.
    Object.assign(world.needs, { random: Math.random });
    await world.live(7 * hour);
    const asked = world.first.consulted.length;
    const { renewAt } = await world.store.renewals.get(www);
    for (let runs = 0; runs < 10; runs++) await world.renew();
    expect(world.first.consulted).toHaveLength(asked);
    await world.live(5 * day);
    expect(world.first.consulted.length - asked).toBeLessThanOrEqual(11);
    expect((await world.store.renewals.get(www)).renewAt).toBe(renewAt);
  });

  it('whose whole window passed while nobody ran is followed by the next run, which does not wait for another one', async () => {
    const { notAfter } = await held();
    world.first.ways.advice = () => ({
      start: notAfter - 40 * day,
      end: notAfter - 39 * day,
      retryAfterMs: 6 * hour,
    });
    await world.live(7 * hour);
    await world.pass(60 * day);
    await world.work();
    expect(await generation()).toBe(2);
  });
});

describe('a CA that is about to revoke all that it issued', () => {
  it('and moves every window into the past, has a fleet renewed with its next poll, past all limits', async () => {
    const limits = { ordersPerAccount: { count: 5, perMs: 3 * hour } };
    world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits });
    const hosts = Array.from({ length: 20 }, (_, index) => `h${index}.example.com`);
    const ids = hosts.map((host) => `example.com/${host}/ec`);
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(20 * hour);
    const held = await world.store.certificates.currents(ids);
    expect(held.map((one) => one?.generation)).toEqual(hosts.map(() => 1));
    const revoked = new Set(held.map((one) => one?.ariCertId));
    const now = world.clock.now();
    world.first.ways.advice = (certId) =>
      revoked.has(certId) ? { start: now - day, end: now + day, retryAfterMs: 6 * hour } : undefined;
    await world.live(6 * hour + 2 * minute);
    const after = await world.store.certificates.currents(ids);
    expect(after.map((one) => one?.generation)).toEqual(hosts.map(() => 2));
    expect(world.first.orders.slice(20).every(({ asked }) => revoked.has(asked.replaces))).toBe(true);
    expect(world.first.orders).toHaveLength(40);
  });
});

describe('a certificate that lives', () => {
  it.each([
    ['six days and sixteen hours', 160 * hour, 80 * hour],
    ['45 days', 45 * day, 30 * day],
    ['90 days', 90 * day, 60 * day],
    ['398 days', 398 * day, 368 * day],
  ])(
    '%s is renewed in its own time: neither at each look nor with its last hours',
    async (_, lifetimeMs, at) => {
      world.first.ways.lifetimeMs = lifetimeMs;
      await held();
      await world.live(at - hour);
      expect(world.first.orders).toHaveLength(1);
      await world.live((lifetimeMs - at) / 8 + 2 * hour);
      expect(world.first.orders).toHaveLength(2);
    },
  );
});

describe('a renewal point', () => {
  it('with fractions of a second is met by the look at that instant, and not skipped', async () => {
    const { renewAt } = await held();
    await world.live(renewAt - 1 - world.clock.now());
    expect(await generation()).toBe(1);
    await world.live(1);
    expect(await generation()).toBe(2);
  });

  it('that lies in the past is no reason to skip the certificate', async () => {
    const { renewAt } = await held();
    await world.pass(renewAt + 5 * day - world.clock.now());
    await world.work();
    expect(await generation()).toBe(2);
  });
});
