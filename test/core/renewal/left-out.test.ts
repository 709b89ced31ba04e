import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { NewOrder } from '../../../src/core/ports.ts';
import { namesToOrder } from '../../../src/core/renewal/left-out.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds } from '../world.ts';

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
});

const group = 'example.com/shop/ec';
const names = ['a.example.com', 'b.example.com', 'c.example.com'];

/** One certificate for three names. */
async function wantGroup(partial: boolean, wanted: readonly string[] = names): Promise<void> {
  await world.want({ mode: 'custom', issuers: ['first'], partial }, []);
  const putGroups = [
    { domain: 'example.com', label: 'shop', names: wanted, origin: { kind: 'runtime' as const } },
  ];
  const domain = await world.store.wishes.domain('example.com');
  if (domain === undefined) throw new Error('the domain is not there');
  await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
}

function refuse(...refused: readonly string[]): void {
  world.first.ways.verdict = (name) =>
    refused.includes(name) ? { type: 'unauthorized', detail: `${name} points elsewhere` } : undefined;
}

async function held(): Promise<readonly string[] | undefined> {
  return (await world.store.certificates.certificate(group))?.names;
}

function orderedNames(): readonly (readonly string[])[] {
  return world.first.orders.map(({ asked }) => asked.names);
}

describe('names that the CA refuses', () => {
  it('fail the whole order where the domain does not say otherwise', async () => {
    await wantGroup(false);
    refuse('b.example.com');
    await world.live(5 * minute);
    expect(await held()).toBeUndefined();
    expect(orderedNames()).toEqual([names, names]);
  });

  it('are tried again at once after an edit of the domain, and not forgotten by it', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(3 * hour);
    const tries = world.first.orders.length;
    await world.want({ mode: 'custom', issuers: ['first', 'second'], partial: true }, []);
    await world.work();
    expect(world.first.orders.length).toBeGreaterThan(tries);
    expect((await world.store.renewals.get(group)).leftOut?.['b.example.com']).toBeDefined();
    refuse();
    await world.live(day + hour);
    expect(await held()).toEqual(names);
  });

  it('for different reasons wait each on a ladder of its own, with its own words', async () => {
    await wantGroup(true);
    const problems = {
      'a.example.com': { type: 'caa', detail: 'CAA forbids a' },
      'b.example.com': { type: 'connection', detail: 'b is not there' },
    };
    world.first.ways.verdict = (name) => problems[name as keyof typeof problems];
    await world.live(minute / 2);
    expect(await held()).toEqual(['c.example.com']);
    const { leftOut } = await world.store.renewals.get(group);
    expect(leftOut).toMatchObject({
      'a.example.com': { failure: { code: 'challenge.caa', message: 'CAA forbids a' } },
      'b.example.com': { failure: { code: 'challenge.connection', message: 'b is not there' } },
    });
    await world.live(3 * hour);
    const tried = (name: string) => orderedNames().filter((ordered) => ordered.includes(name)).length;
    expect([tried('a.example.com'), tried('b.example.com')]).toEqual([1, 4]);
  });

  it('are told apart in one answer to a new order, or in one to finalize, whatever it is called as a whole', async () => {
    const about = (name: string, type: string) => ({
      type: `urn:ietf:params:acme:error:${type}`,
      detail: `${type} of ${name}`,
      identifier: { type: 'dns' as const, value: name },
    });
    const subproblems = [about('A.EXAMPLE.com', 'rejectedIdentifier'), about('b.example.com', 'caa')];
    for (const call of ['first.newOrder', 'first.finalize']) {
      const cheap = await worlds.open();
      cheap.gate.once(
        call,
        failing(
          problemError({ type: 'urn:ietf:params:acme:error:compound', detail: 'several', subproblems }),
        ),
      );
      world = cheap;
      await wantGroup(true);
      await world.live(minute);
      expect(await held()).toEqual(['c.example.com']);
      expect((await world.store.renewals.get(group)).leftOut).toMatchObject({
        'a.example.com': { failure: { code: 'order.rejectedIdentifier' } },
        'b.example.com': { failure: { code: 'challenge.caa' } },
      });
    }
  });

  it('decide by the gravest of them what becomes of an order as a whole', async () => {
    await wantGroup(false);
    world.first.ways.verdict = (name) =>
      name.startsWith('c') ? { type: 'caa', detail: 'CAA forbids c' } : { type: 'dns', detail: 'NXDOMAIN' };
    await world.live(hour);
    expect(await world.store.renewals.get(group)).toMatchObject({
      lastFailure: {
        code: 'challenge.caa',
        names: { 'a.example.com': 'NXDOMAIN', 'c.example.com': 'CAA forbids c' },
      },
    });
    expect(world.first.orders).toHaveLength(1);
  });

  it('are left out of a second order at once, so that the others have their certificate', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.work();
    expect(await held()).toEqual(['a.example.com', 'c.example.com']);
    expect(orderedNames()).toEqual([names, ['a.example.com', 'c.example.com']]);
    const state = await world.store.renewals.get(group);
    expect(state.leftOut?.['b.example.com']?.failure.message).toContain('points elsewhere');
    expect(state.failures).toBe(0);
    expect(world.web.shows(group)).toBeDefined();
  });

  it('are left out at once when the domain comes to say so', async () => {
    await wantGroup(false);
    refuse('b.example.com');
    await world.live(5 * minute);
    await wantGroup(true);
    await world.work();
    expect(await held()).toEqual(['a.example.com', 'c.example.com']);
  });

  it('are tried again on a ladder of their own while the certificate of the others stays', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(3 * day);
    const serials = new Set(world.first.finalized().map(({ url }) => url));
    expect(serials.size).toBe(1);
    const [first, , ...later] = world.first.orders;
    const since = later.map(({ createdAt }) => Math.round((createdAt - (first?.createdAt ?? 0)) / minute));
    expect(since.slice(0, 3)).toEqual([1, 11, 111]);
    expect(later.length).toBe(5);
    expect(later.every(({ asked }) => asked.names.length === 3)).toBe(true);
  });

  it('come onto the certificate as soon as the CA takes them, and people hear of both', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(2 * hour);
    expect(world.mail.messages.length).toBeGreaterThan(0);
    expect(await world.events('certificate.recovered', group)).toHaveLength(0);
    refuse();
    await world.live(day + 3 * hour);
    expect((await held())?.toSorted()).toEqual(names);
    expect((await world.store.renewals.get(group)).leftOut).toBeUndefined();
    expect(await world.events('certificate.recovered', group)).toHaveLength(1);
    const orders = world.first.orders.length;
    await world.live(20 * day);
    expect(world.first.orders).toHaveLength(orders);
  });

  it.each([true, false])('are all tried when a person asks (by force: %s)', async (force) => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(5 * hour);
    refuse();
    const orders = world.first.orders.length;
    await world.ask(force, undefined, group);
    await world.work();
    expect((await held())?.toSorted()).toEqual(names);
    expect(world.first.orders).toHaveLength(orders + 1);
  });

  it('that are all refused fail the order as a whole, on its ladder', async () => {
    await wantGroup(true);
    refuse(...names);
    await world.live(5 * minute);
    expect(orderedNames()).toEqual([names, names]);
    expect((await world.store.renewals.get(group)).failures).toBe(2);
  });

  it('one after the other cost one more order each, until none is refused', async () => {
    await wantGroup(true);
    let rounds = 0;
    world.first.ways.verdict = (name) =>
      name === names[Math.floor(rounds++ / 3)] ? { type: 'dns', detail: `no ${name}` } : undefined;
    await world.work();
    expect(await held()).toBeDefined();
    expect(world.first.orders.length).toBeLessThanOrEqual(3);
  });

  it('are forgotten when nobody wants them any more', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(hour);
    const domain = await world.store.wishes.domain('example.com');
    if (domain === undefined) throw new Error('the domain is not there');
    const fewer = names.filter((name) => name !== 'b.example.com');
    const putGroups = [
      { domain: 'example.com', label: 'shop', names: fewer, origin: { kind: 'runtime' as const } },
    ];
    await world.run(changeWishes('example.com', () => ({ domain, putGroups }), world.needs));
    const orders = world.first.orders.length;
    await world.live(5 * day);
    const state = await world.store.renewals.get(group);
    expect(state.leftOut).toBeUndefined();
    expect(state.failingSince).toBeUndefined();
    expect(world.first.orders).toHaveLength(orders);
  });

  it('of a CA that blames one at a time are given up after three rounds, for the ladder', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `n${index}.example.com`);
    await wantGroup(true, many);
    world.first.ways.verdict = (name) => {
      const [worst] = world.first.orders.at(-1)?.asked.names ?? [];
      return name === worst ? { type: 'unauthorized', detail: `${name} points elsewhere` } : undefined;
    };
    await world.work();
    expect(world.first.orders).toHaveLength(4);
    expect((await world.store.renewals.get(group)).failures).toBe(1);
  });
});

describe('a name that is left out, and a forced wish', () => {
  it('is tried once for it, which its own ladder counts', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(5 * hour);
    const before = (await world.store.renewals.get(group)).leftOut?.['b.example.com'];
    const orders = world.first.orders.length;
    await world.ask(true, undefined, group);
    await world.work();
    expect(orderedNames().slice(orders)).toEqual([names, ['a.example.com', 'c.example.com']]);
    const after = (await world.store.renewals.get(group)).leftOut?.['b.example.com'];
    expect(after?.failures).toBe((before?.failures ?? 0) + 1);
    expect(after?.retryAt).toBeGreaterThan(world.clock.now() + 20 * hour);
  });

  it('is not tried again and again with it while the wish fails for other reasons', async () => {
    await wantGroup(true);
    refuse('b.example.com');
    await world.live(5 * hour);
    await world.ask(true, undefined, group);
    const asked: (readonly string[])[] = [];
    world.gate.always('first.newOrder', async (proceed, [order]) => {
      asked.push((order as NewOrder).names);
      if (asked.length === 1) return proceed();
      throw new AgentError('acme.server', 'the CA answers 503');
    });
    await world.live(3 * hour);
    const fewer = ['a.example.com', 'c.example.com'];
    expect(asked.length).toBeGreaterThanOrEqual(5);
    expect(asked).toEqual([names, ...asked.slice(1).map(() => fewer)]);
  });

  it('is on the next certificate when all is mended, though an order without it was under way', async () => {
    await wantGroup(true);
    await world.live(hour);
    refuse('a.example.com');
    const down = failing(new AgentError('acme.server', 'the CA answers 500'));
    world.gate.always('first.finalize', down);
    await world.ask(true, undefined, group);
    await world.live(10 * hour);
    // A look in between, at which the certificate that is held has all names.
    await world.renew(group);
    refuse();
    world.gate.always('first.finalize', undefined);
    await world.live(5 * day);
    expect(await held()).toEqual(names);
    expect((await world.store.renewals.get(group)).failures).toBe(0);
  });
});

it('no order is without names: where all that is wanted is left out, all of it is ordered', () => {
  const failure = { at: t0, code: 'challenge.connection', message: 'nobody answers' };
  const leftOut = { 'b.example.com': { failures: 3, since: t0, retryAt: t0 + day, failure } };
  expect(namesToOrder(names, { leftOut }, t0)).toEqual(['a.example.com', 'c.example.com']);
  expect(namesToOrder(['b.example.com'], { leftOut }, t0)).toEqual(['b.example.com']);
});
