import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { NewOrder } from '../../../src/core/ports.ts';
import { retry } from '../../../src/operations/retry.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { runIn } from '../run-command.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

const hosts = ['a.example.com', 'b.example.com', 'www.example.com'];
const two = t0 + 2 * hour;

let worlds: Worlds;
let world: World;
/** When each CA was asked for an order, and of which names. */
let asked: { readonly at: number; readonly names: readonly string[] }[];

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  for (const name of ['first', 'second'])
    world.limited.push({ name, directoryUrl: `https://${name}.test/directory`, limits: {} });
  asked = [];
});

/** Until then the first CA refuses orders, as far as they are meant, with these words. */
function refuse(
  detail: string,
  until: number,
  isMeant: (names: readonly string[]) => boolean = () => true,
): void {
  world.gate.always('first.newOrder', async (proceed, [wanted]) => {
    const { names } = wanted as NewOrder;
    asked.push({ at: world.clock.now(), names });
    if (world.clock.now() >= until || !isMeant(names)) return proceed();
    throw problemError({ type: 'urn:ietf:params:acme:error:rateLimited', detail }, 429, until);
  });
}

/** Its servers answer every call but these with 503 until then. */
function overload(call: string, until: number): number[] {
  const met: number[] = [];
  world.gate.always(call, async (proceed) => {
    const now = world.clock.now();
    if (now >= until) return proceed();
    met.push(now);
    throw busy(until);
  });
  return met;
}

function busy(until: number): AgentError {
  const facts = { status: 503, retryAfterMs: until - world.clock.now() };
  return new AgentError('acme.server', 'first answered with HTTP 503', { retryAt: until, facts });
}

const issuerOf = async (host: string) =>
  (await world.store.certificates.certificate(`example.com/${host}/ec`))?.issuer;

describe('what a CA says of waiting that no limit explains', () => {
  it('holds for all lineages of the account: one of them hears it, and none of the others', async () => {
    await world.want({ issuers: ['first'] }, hosts);
    refuse('Service busy; retry later.', two);
    await world.live(2 * hour - minute);
    expect(asked).toHaveLength(1);
    const failed = await world.events('certificate.failed');
    expect(failed).toHaveLength(1);
    await world.live(10 * minute);
    expect(await Promise.all(hosts.map(issuerOf))).toEqual(['first', 'first', 'first']);
    expect(asked).toHaveLength(4);
  });

  it('is skipped neither by a command nor by an edit of the domain', async () => {
    await world.want({ issuers: ['first'] });
    refuse('Service busy; retry later.', two);
    await world.live(minute);
    for (const force of [false, true]) {
      await world.ask(force);
      await world.live(minute);
    }
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 1 });
    await world.want({ issuers: ['first'], keyTypes: ['p384'] });
    await world.live(minute);
    expect(asked).toHaveLength(1);
    expect(await world.store.renewals.get(www)).toMatchObject({
      failures: 0,
      waiting: { issuer: 'first', limit: 'it asked us to wait with new orders', full: { first: two } },
    });
    await world.live(2 * hour);
    expect(await issuerOf('www.example.com')).toBe('first');
    expect(asked).toHaveLength(2);
  });

  it('is ended by a person who says so, for the issuers of that certificate', async () => {
    await world.want({ issuers: ['first'] });
    refuse('Service busy; retry later.', t0 + minute);
    world.gate.once('first.newOrder', failing(problemError({ type: 'rateLimited' }, 429, t0 + 6 * day)));
    await world.live(hour);
    await world.ask(false);
    await world.live(minute);
    expect(asked).toEqual([]);
    await runIn(world, retry, { target: 'www.example.com' });
    await world.live(minute);
    expect(await issuerOf('www.example.com')).toBe('first');
    expect(await world.needs.budget.levels('first', [])).toEqual([]);
  });

  it('of one name holds for that name alone, of an exact set for that set', async () => {
    await world.want({ issuers: ['first'] }, hosts);
    const detail = 'too many failed authorizations (5) for "a.example.com" in the last 1h0m0s';
    refuse(detail, two, (names) => names.includes('a.example.com'));
    await world.live(minute);
    expect(await Promise.all(hosts.map(issuerOf))).toEqual([undefined, 'first', 'first']);
    await world.ask(true, undefined, 'example.com/a.example.com/ec');
    await world.live(hour);
    expect(asked.filter(({ names }) => names.includes('a.example.com'))).toHaveLength(1);
    await world.live(2 * hour);
    expect(await issuerOf('a.example.com')).toBe('first');
  });

  it('is believed for no longer than seven days', async () => {
    await world.want({ issuers: ['first'] }, hosts);
    refuse('Service busy; retry later.', t0 + 400 * day);
    await world.live(7 * day - minute);
    expect(asked).toHaveLength(1);
    await world.live(hour);
    expect(asked).toHaveLength(2);
  });

  it('leads to the next issuer at once where nothing valid is held', async () => {
    await world.want({}, hosts);
    refuse('Service busy; retry later.', two);
    await world.live(minute);
    expect(asked).toHaveLength(1);
    expect(await Promise.all(hosts.map(issuerOf))).toEqual(['second', 'second', 'second']);
  });

  it('is over when the CA takes an order that was urgent, which is sent the moment it is', async () => {
    world.first.ways.lifetimeMs = 20 * day;
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(hour);
    world.first.ways.lifetimeMs = 90 * day;
    const busy = problemError({ type: 'rateLimited', detail: 'Service busy' }, 429, t0 + 19 * day);
    world.gate.once('first.newOrder', failing(busy));
    await world.live(15 * day);
    const level = { name: 'orders', left: 0, readyAt: t0 + 19 * day };
    expect(await world.needs.budget.levels('first', [])).toEqual([level]);
    expect(world.first.finalized()).toHaveLength(3);
    await world.live(2 * day);
    expect(await world.needs.budget.levels('first', [])).toEqual([]);
    const renewed = world.first.orders.slice(3).map(({ createdAt }) => createdAt - t0);
    expect(Math.min(...renewed)).toBeGreaterThan((20 - 10 / 3) * day - hour);
    expect(renewed).toHaveLength(2);
  });
});

describe('a renewal that is held up', () => {
  const reminders = async () =>
    (await world.events('certificate.reminder', www)).map(({ at }) => Math.floor((at - t0) / day));

  it('by what the CA said to another one is tried daily past half of its period, and people are reminded until it expires', async () => {
    await world.want({ issuers: ['first'] }, ['www.example.com']);
    await world.live(hour);
    refuse('Service busy; retry later.', t0 + 400 * day);
    await world.live(55 * day);
    await world.want({ issuers: ['first'] }, ['www.example.com', 'new.example.com']);
    await world.live(33 * day);
    const probes = asked.filter(({ names }) => names.includes('www.example.com')).map(({ at }) => at);
    const gaps = probes.slice(1).map((at, index) => at - (probes[index] ?? 0));
    expect(probes.length).toBeGreaterThanOrEqual(11);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(day - 1);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    expect(await world.store.due.at('issue', www)).toBeLessThan(notAfter);
    expect(await reminders()).toEqual([76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88]);
    expect(await world.store.renewals.get(www)).toMatchObject({
      failures: 0,
      lastFailure: { advice: expect.stringContaining('another issuer') },
    });
    world.gate.always('first.newOrder', undefined);
    await world.live(day);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 2 });
    expect(await world.events('certificate.recovered', www)).toHaveLength(1);
  });

  it('by our own ledger alone likewise', async () => {
    const limits = { certificatesPerNames: { count: 1, perMs: 200 * day } };
    world.limited.splice(0, 1, { name: 'first', directoryUrl: 'https://first.test/directory', limits });
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    refuse('too many certificates (1) already issued for this exact set of identifiers', t0 + 400 * day);
    await world.live(89 * day);
    expect((await reminders()).length).toBeGreaterThanOrEqual(12);
    const { notAfter = 0 } = (await world.store.certificates.certificate(www)) ?? {};
    expect(await world.store.due.at('issue', www)).toBeLessThan(notAfter);
  });
});

describe('a CA that is too busy for any request', () => {
  it('is left alone by all lineages, before they open a session there', async () => {
    await world.want({ issuers: ['first'] }, hosts);
    const met = overload('acme.session', two);
    await world.live(hour);
    await world.ask(true);
    await world.live(hour - minute);
    expect(met).toHaveLength(1);
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0 });
    await world.live(10 * minute);
    expect(await Promise.all(hosts.map(issuerOf))).toEqual(['first', 'first', 'first']);
  });

  it('is not asked about an order under way either, by nobody', async () => {
    await world.want({ issuers: ['first'] });
    const met = overload('first.finalize', two);
    await world.live(minute);
    await world.ask(true);
    await world.live(hour);
    expect(met).toHaveLength(1);
    await world.live(2 * hour);
    expect(world.first.orders).toHaveLength(1);
    expect(await issuerOf('www.example.com')).toBe('first');
  });

  it('is a reason for another one where nothing valid is held, and not where the certificate outlives it', async () => {
    await world.want({}, ['www.example.com']);
    await world.live(hour);
    const met = overload('first.newOrder', t0 + day);
    await world.want({}, hosts);
    await world.live(minute);
    expect(met).toHaveLength(1);
    expect(await Promise.all(hosts.map(issuerOf))).toEqual(['second', 'second', 'first']);
    await world.ask(true);
    await world.live(day);
    expect(met).toHaveLength(1);
    expect(world.second.orders).toHaveLength(2);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it.each(['acme.session', 'first.newOrder', 'first.order', 'first.finalize'])(
    'at %s, for half an hour: who has nothing valid goes to another one at once, by itself and by a command',
    async (call) => {
      await world.want({}, hosts);
      const met = overload(call, t0 + 30 * minute);
      // Of the other CA a session is to be had.
      world.gate.always('acme.session', async (proceed, [issuer]) => {
        if (call !== 'acme.session' || issuer !== 'first') return proceed();
        met.push(world.clock.now());
        throw busy(t0 + 30 * minute);
      });
      await world.ask(true);
      await world.live(minute);
      expect(await Promise.all(hosts.map(issuerOf))).toEqual(['second', 'second', 'second']);
      expect(met).toHaveLength(1);
      expect(await world.store.issuances.all()).toEqual([]);
      expect(await world.tokensLeft()).toBe(0);
    },
  );

  it('for a moment is waited for, and not left', async () => {
    await world.want({}, ['www.example.com']);
    overload('first.newOrder', t0 + 40_000);
    await world.live(5 * minute);
    expect(await issuerOf('www.example.com')).toBe('first');
    expect(world.second.orders).toEqual([]);
  });

  it('goes on with the orders under way when it only takes no new ones', async () => {
    world.first.ways.validationMs = 10 * minute;
    await world.want({ issuers: ['first'] }, ['www.example.com']);
    await world.live(minute);
    refuse('Service busy; retry later.', t0 + day);
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(hour);
    expect(asked).toHaveLength(1);
    expect(await issuerOf('www.example.com')).toBe('first');
  });
});
