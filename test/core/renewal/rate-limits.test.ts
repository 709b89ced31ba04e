import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AcmeOrder, NewOrder } from '../../../src/core/ports.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { createRateLimitedCa, type Order, type RateLimitedCa } from '../../acme/rate-limited-ca.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

const limits = {
  ordersPerAccount: { count: 10, perMs: hour },
  certificatesPerDomain: { count: 50, perMs: 7 * day },
  certificatesPerNames: { count: 5, perMs: 7 * day },
  failuresPerName: { count: 5, perMs: hour },
};

let worlds: Worlds;
let world: World;
let ca: RateLimitedCa;
let refused: string[];
let asked: number[];

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  world.limited.push({ name: 'first', directoryUrl: 'https://first.test/directory', limits });
  ca = createRateLimitedCa(limits);
  refused = [];
  asked = [];
  keepLimits();
});

/** The first CA keeps its limits, with buckets of its own. */
function keepLimits(): void {
  const issued = new Set<string>();
  const orders = new Map<string, Order>();
  world.gate.always('first.newOrder', async (proceed, [wanted]) => {
    const { names } = wanted as NewOrder;
    const order: Order = { names, exempt: issued.has(names.join()) ? 'renewal' : 'none' };
    asked.push(world.clock.now());
    try {
      ca.newOrder(order, world.clock.now());
    } catch (error) {
      refused.push(String(error));
      throw error;
    }
    const made = (await proceed()) as AcmeOrder;
    orders.set(made.url, order);
    return made;
  });
  world.gate.always('first.finalize', async (proceed, [finalized]) => {
    const order = orders.get((finalized as AcmeOrder).url);
    if (order !== undefined) ca.issue(order, world.clock.now());
    if (order !== undefined) issued.add(order.names.join());
    return proceed();
  });
  const verdict = world.first.ways;
  verdict.verdict = (name) => {
    if (name !== 'bad.example.com') return undefined;
    ca.fail({ names: [name], exempt: 'none' }, world.clock.now());
    return { type: 'unauthorized', detail: 'somebody else answered' };
  };
}

describe('the rate limits of a CA', () => {
  it('bear a fleet that is added at once: no order is refused, all are issued as the account has room', async () => {
    const hosts = Array.from({ length: 30 }, (_, index) => `h${index}.example.com`);
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(hour / 2);
    expect(world.first.finalized().length).toBeGreaterThanOrEqual(10);
    expect(world.first.finalized().length).toBeLessThanOrEqual(15);
    await world.live(4 * hour);
    expect(world.first.finalized()).toHaveLength(30);
    expect(refused).toEqual([]);
    expect(await world.events('certificate.failed')).toEqual([]);
  });

  it('bear many forced renewals of one certificate within a minute: the sixth waits for the exact set', async () => {
    await world.want({ issuers: ['first'] });
    for (let times = 0; times < 7; times++) {
      await world.ask(true);
      await world.live(5000);
    }
    expect(world.first.finalized()).toHaveLength(5);
    expect(await world.store.renewals.get(www)).toMatchObject({
      failures: 0,
      waiting: { limit: 'certificates for exactly these names (5 in 7 days)' },
    });
    await world.live(2 * day);
    expect(world.first.finalized()).toHaveLength(6);
    expect(refused).toEqual([]);
  });

  it('bear somebody who asks again and again for a name that cannot be validated', async () => {
    await world.want({ issuers: ['first'] }, ['bad.example.com']);
    const lineage = 'example.com/bad.example.com/ec';
    for (let times = 0; times < 20; times++) {
      await world.ask(false, undefined, lineage);
      await world.live(5000);
    }
    expect(asked).toHaveLength(5);
    await world.live(hour);
    expect(asked.length).toBeLessThanOrEqual(10);
    expect(refused).toEqual([]);
  });

  it('count two orders where a worker was killed before it heard of the first one', async () => {
    world.gate.once('first.newOrder', async (proceed) => {
      const made = await proceed();
      world.gate.dieAt(1, 'before');
      return made;
    });
    await world.want({ issuers: ['first'] });
    await world.renew().catch(() => undefined);
    expect(world.gate.isDead).toBe(true);
    await world.takeOver();
    await world.renew();
    expect(world.first.orders).toHaveLength(2);
    const levels = await world.needs.budget.levels('first', [['www.example.com']]);
    expect(levels.find(({ name }) => name === 'ordersPerAccount')?.left).toBe(8);
    expect(levels.find(({ name }) => name === 'certificatesPerDomain')?.left).toBe(49);
  });

  it('are no end where they were used up elsewhere: the certificate comes when the CA said', async () => {
    await world.want({ issuers: ['first'] });
    const detail = 'too many new orders (10) from this account: see https://ca.test/#new-orders-per-account';
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    world.gate.once('first.newOrder', failing(problemError(problem, 429, t0 + 50 * minute)));
    await world.live(49 * minute);
    expect(asked).toEqual([]);
    await world.live(20 * minute);
    expect(world.first.finalized()).toHaveLength(1);
    expect(asked[0]).toBeGreaterThanOrEqual(t0 + 50 * minute);
  });

  it('are probed at once for the successor of a certificate that its CA revoked, however young it is', async () => {
    const tight = { certificatesPerNames: { count: 1, perMs: 200 * day } };
    world.limited.splice(0, 1, {
      name: 'first',
      directoryUrl: 'https://first.test/directory',
      limits: tight,
    });
    world.gate.always('first.newOrder', undefined);
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await world.ask(true);
    await world.live(hour);
    expect(world.first.finalized()).toHaveLength(1);
    await editRenewal(www, world.store, (state) => ({
      putRenewals: [{ ...state, revokedAt: world.clock.now(), requested: undefined, retryAt: undefined }],
      due: [{ job: 'issue', id: www, at: world.clock.now() }],
    }));
    await world.live(minute);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('are probed for a renewal past half of its period, once per refill, and its success is the end of it', async () => {
    await world.want({ issuers: ['first'] });
    await world.renew();
    const opensAt = t0 + 80 * day;
    const probes: number[] = [];
    world.gate.always('first.newOrder', async (proceed) => {
      const now = world.clock.now();
      probes.push(now);
      if (now >= opensAt) return proceed();
      const detail = 'too many certificates (5) already issued for this exact set of identifiers';
      const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
      throw problemError(problem, 429, now + 3 * day);
    });
    await world.live(85 * day);
    expect(world.first.finalized()).toHaveLength(2);
    const gaps = probes.slice(1).map((at, index) => at - (probes[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual((7 * day) / 5 - 1);
    expect(probes.at(-1)).toBeLessThan(opensAt + 4 * day);
  });

  it('that the CA keeps although our ledger takes the order for exempt hold until it said, whatever is asked', async () => {
    await world.want({ issuers: ['first'] }, ['www.example.com', 'b.example.com']);
    await world.live(minute);
    const until = world.clock.now() + 50 * minute;
    const met: (readonly string[])[] = [];
    world.gate.always('first.newOrder', async (proceed, [wanted]) => {
      met.push((wanted as NewOrder).names);
      if (world.clock.now() >= until) return proceed();
      const detail = 'too many new orders (10) from this account';
      throw problemError({ type: 'urn:ietf:params:acme:error:rateLimited', detail }, 429, until);
    });
    for (const lineage of [www, 'example.com/b.example.com/ec']) {
      await world.ask(true, undefined, lineage);
      await world.live(minute);
      await world.ask(true, undefined, lineage);
      await world.live(minute);
    }
    expect(met).toEqual([['www.example.com']]);
    await world.live(hour);
    expect(met).toHaveLength(3);
    expect(world.first.finalized()).toHaveLength(4);
  });

  it('that the CA keeps for renewals too are met once by a fleet that is forced at one moment, not once by each', async () => {
    const hosts = Array.from({ length: 12 }, (_, index) => `h${index}.example.com`);
    const idOf = (host: string) => `example.com/${host}/ec`;
    await world.want({ issuers: ['first'] }, hosts);
    await world.live(4 * hour);
    // As many as it allows in three hours, then none until they have passed.
    let [from, left] = [0, 0];
    const refused: number[] = [];
    world.gate.always('first.newOrder', async (proceed) => {
      const now = world.clock.now();
      if (now >= from + 3 * hour) [from, left] = [now, 4];
      if (left-- > 0) return proceed();
      refused.push(now);
      const detail = 'too many new orders (4) from this account in the last 3h0m0s';
      throw problemError({ type: 'urn:ietf:params:acme:error:rateLimited', detail }, 429, from + 3 * hour);
    });
    for (const host of hosts) await world.ask(true, undefined, idOf(host));
    await world.live(12 * hour);
    const found = await world.store.certificates.currents(hosts.map(idOf));
    expect(found.map((one) => one?.generation)).toEqual(hosts.map(() => 2));
    expect(refused.length).toBeLessThanOrEqual(3);
    expect(world.first.finalized()).toHaveLength(24);
  });
});
