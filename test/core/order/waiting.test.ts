import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import type { Admission, OrderIntent } from '../../../src/core/ports.ts';
import type { BucketTake } from '../../../src/core/types.ts';
import { failing } from '../gate.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { problemError } from '../scripted-ca.ts';
import { startWorlds, type World, type Worlds, www } from '../world.ts';

let worlds: Worlds;
let world: World;
let asked: OrderIntent[];
let returned: (readonly BucketTake[])[];

const admitted = { admitted: true, spent: [], spentOnOrder: [], exempt: [], isProbe: false } as const;
const spent: readonly BucketTake[] = [{ key: 'certificates', capacity: 5, perSecond: 1, cost: 1 }];

beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.stop());
beforeEach(async () => {
  world = await worlds.open();
  asked = [];
  returned = [];
  world.gate.always('budget.giveBack', async (_, [takes]) => {
    returned.push(takes as readonly BucketTake[]);
  });
});

/** The ledger of the CA's limits says this from now on. */
function ledger(admission: (intent: OrderIntent) => Admission): void {
  world.gate.always('budget.admit', async (_, [intent]) => {
    asked.push(intent as OrderIntent);
    return admission(intent as OrderIntent);
  });
}

/** No room until then. */
function fullUntil(readyAt: number): void {
  ledger(() =>
    world.clock.now() < readyAt ? { admitted: false, readyAt, limit: 'orders per account' } : admitted,
  );
}

describe('an order for which the limits of the CA have no room', () => {
  it('waits until there is some, and that is no failure', async () => {
    await world.want({ issuers: ['first'] });
    fullUntil(t0 + 3 * hour);
    await world.live(2 * hour);
    const state = await world.store.renewals.get(www);
    expect(state).toMatchObject({ failures: 0, waiting: { issuer: 'first', limit: 'orders per account' } });
    expect(await world.events('certificate.failed')).toHaveLength(0);
    expect(asked.length).toBeLessThan(3);
    await world.live(3 * hour);
    expect(world.first.finalized()).toHaveLength(1);
    expect((await world.store.renewals.get(www)).waiting).toBeUndefined();
  });

  it('keeps the request that asked for it open, with its task', async () => {
    await world.want({ issuers: ['first'] });
    await world.renew();
    fullUntil(t0 + 3 * hour);
    await world.ask(true, 'task-1');
    await world.live(2 * hour);
    expect((await world.store.renewals.get(www)).requested).toMatchObject({ force: true, task: 'task-1' });
    expect(world.first.orders).toHaveLength(1);
    await world.live(3 * hour);
    expect(world.first.orders).toHaveLength(2);
    expect((await world.store.renewals.get(www)).requested).toBeUndefined();
  });

  it('goes to the next issuer at once where nothing valid is held', async () => {
    await world.want();
    ledger(({ issuer }) =>
      issuer === 'first'
        ? { admitted: false, readyAt: t0 + 3 * hour, limit: 'orders per account' }
        : admitted,
    );
    await world.work();
    expect(world.first.orders).toHaveLength(0);
    expect(world.second.finalized()).toHaveLength(1);
  });

  it('stays with its issuer while the certificate outlives the wait twice', async () => {
    await world.want();
    await world.renew();
    fullUntil(t0 + 20 * day);
    await world.ask(true);
    await world.live(day);
    expect(world.second.orders).toHaveLength(0);
  });

  it('of many is not tried by all of them for each place that gets free', async () => {
    await world.want(
      { issuers: ['first'] },
      ['a', 'b', 'c', 'd'].map((label) => `${label}.example.com`),
    );
    let free = t0;
    ledger(() => {
      const readyAt = free + 10 * minute;
      if (world.clock.now() < readyAt) return { admitted: false, readyAt, limit: 'orders per account' };
      free = world.clock.now();
      return admitted;
    });
    await world.live(6 * hour);
    expect(world.first.finalized()).toHaveLength(4);
    expect(asked.length).toBeLessThan(20);
  });

  it('waits for the issuer that has room first, whichever it is, and holds no wait against it', async () => {
    await world.want();
    const room: Record<string, number> = { first: t0 + hour, second: t0 + 7 * day };
    ledger(({ issuer }) => {
      const readyAt = room[issuer] ?? 0;
      if (world.clock.now() < readyAt) return { admitted: false, readyAt, limit: `orders at ${issuer}` };
      return admitted;
    });
    await world.live(3 * hour);
    expect(world.first.finalized()).toHaveLength(1);
    expect(world.second.orders).toHaveLength(0);
    expect((await world.store.renewals.get(www)).issuerFailures).toEqual({});
  });

  it('is one that the CA refused though our ledger sent it as a probe', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => ({ ...admitted, isProbe: true }));
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many' };
    world.gate.once('first.newOrder', failing(problemError(problem, 429, t0 + hour)));
    await world.live(minute / 2);
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0, waiting: { issuer: 'first' } });
  });
});

describe('an order that lost its exemption', () => {
  const window = { start: t0 + 2 * hour, end: t0 + 4 * hour, retryAfterMs: hour };
  const refusal = problemError({ type: 'unauthorized', detail: 'of another account' }, 403);

  /** In the CA's window, and the CA will not have `replaces`. */
  async function refuseReplaces(): Promise<void> {
    await world.want({ issuers: ['first'] });
    await world.renew();
    world.first.ways.advice = () => (world.first.finalized().length === 1 ? window : undefined);
    world.gate.once('first.newOrder', failing(refusal));
  }

  it('is admitted anew, as any other', async () => {
    await refuseReplaces();
    ledger(() => ({ ...admitted, spent }));
    await world.live(5 * hour);
    expect(asked.map(({ isAdvised }) => isAdvised)).toEqual([true, false]);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('waits where there is no room for it', async () => {
    await refuseReplaces();
    ledger(({ isAdvised }) =>
      isAdvised || world.clock.now() > t0 + day
        ? admitted
        : { admitted: false, readyAt: t0 + day, limit: 'orders of the account' },
    );
    await world.live(5 * hour);
    expect(world.first.finalized()).toHaveLength(1);
    expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0, waiting: { issuer: 'first' } });
    await world.live(2 * day);
    expect(world.first.finalized()).toHaveLength(2);
  });
});

describe('the ledger', () => {
  it('gets back what an order spent that came to nothing before it was finalized', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => ({ ...admitted, spent }));
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.work();
    expect(returned).toEqual([spent]);
  });

  it('gets back what an order spent that was given up for another wish before it was finalized', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => ({ ...admitted, spent }));
    world.first.ways.validationMs = hour;
    await world.work();
    expect(world.first.orders).toHaveLength(1);
    await world.want({ issuers: ['first'], keyTypes: ['p384'] });
    await world.work();
    expect(returned).toEqual([spent]);
  });

  it('gets nothing back for a certificate that was issued, or may have been', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => ({ ...admitted, spent }));
    world.gate.once('first.certificate', async () => 'no certificate');
    await world.work();
    expect(world.first.finalized()).toHaveLength(1);
    expect(returned).toEqual([]);
  });

  it('gets nothing back for an order that was given up when the CA was at the certificate already', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => ({ ...admitted, spent }));
    world.first.ways.processingMs = hour;
    await world.work();
    expect(world.first.finalized()).toHaveLength(1);
    await world.want({ issuers: ['first'], keyTypes: ['p384'] });
    await world.work();
    expect(world.first.orders).toHaveLength(2);
    expect(returned).toEqual([]);
  });

  it('hears of names that could not be validated, and of limits that we ran into unforeseen', async () => {
    const heard: unknown[] = [];
    world.gate.always('budget.validationFailed', async (_, args) => void heard.push(args));
    world.gate.always('budget.learn', async (_, [intent, error]) => {
      heard.push([intent, (error as AgentError).code]);
    });
    await world.want({ issuers: ['first'] });
    world.first.ways.verdict = () => ({ type: 'unauthorized', detail: 'somebody else answered' });
    await world.work();
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many' };
    world.gate.once('first.newOrder', failing(problemError(problem, 429, t0 + hour)));
    await world.live(2 * minute);
    expect(heard).toEqual([
      ['first', ['www.example.com']],
      [{ issuer: 'first', names: ['www.example.com'], isUnderWay: false, exempt: [] }, 'acme.rateLimited'],
    ]);
    expect((await world.store.renewals.get(www)).failures).toBe(2);
  });

  it('is told which orders replace a certificate inside its window, and which renew the same names', async () => {
    await world.want({ issuers: ['first'] });
    ledger(() => admitted);
    await world.renew();
    world.first.ways.advice = () =>
      world.first.finalized().length === 1
        ? { start: t0 + 2 * hour, end: t0 + 4 * hour, retryAfterMs: hour }
        : undefined;
    await world.live(5 * hour);
    expect(asked).toMatchObject([
      { isAdvised: false, lastIssuedAt: undefined },
      { isAdvised: true, lastIssuedAt: expect.closeTo(t0, -4) },
    ]);
  });

  it('is not told so of an order after the end of that window', async () => {
    await world.want({ issuers: ['first'] });
    await world.renew();
    world.first.ways.advice = () => ({ start: t0 + 2 * hour, end: t0 + 4 * hour, retryAfterMs: hour });
    const readyAt = t0 + 5 * hour;
    ledger(() =>
      world.clock.now() < readyAt ? { admitted: false, readyAt, limit: 'orders of the account' } : admitted,
    );
    await world.live(8 * hour);
    expect(world.first.finalized().length).toBeGreaterThan(1);
    const [inside, after] = asked;
    expect([inside?.isAdvised, after?.isAdvised]).toEqual([true, false]);
  });
});

describe('an order whose DNS vendor is busy', () => {
  const lineage = 'example.com/*.example.com/ec';
  const busy = (retryAt: number) =>
    new AgentError('provider.throttled', 'the vendor wants to be left alone', { retryAt });

  function wantDns(): Promise<void> {
    return world.want({ mode: 'wildcard', challenge: 'dns-01', dnsAccount: 'aws', issuers: ['first'] }, []);
  }

  it('stays open, comes back when the vendor said, and that is no failure', async () => {
    const freeAt = t0 + 20 * minute;
    world.gate.always('dns-01.present', async (run) => {
      if (world.clock.now() < freeAt) throw busy(Math.min(freeAt, world.clock.now() + 3 * minute));
      return run();
    });
    await wantDns();
    await world.live(30 * minute);
    expect(world.first.orders).toHaveLength(1);
    expect(world.first.finalized()).toHaveLength(1);
    expect(await world.events('certificate.failed')).toHaveLength(0);
  });

  it('fails when the vendor wants more time than the CA gives, and is ordered anew when that is over', async () => {
    const freeAt = t0 + 3 * hour;
    world.gate.always('dns-01.present', async (run) => {
      if (world.clock.now() < freeAt) throw busy(freeAt);
      return run();
    });
    await wantDns();
    await world.live(2 * hour);
    expect(world.first.orders).toHaveLength(1);
    expect((await world.events('certificate.failed', lineage))[0]?.facts).toMatchObject({
      code: 'provider.throttled',
    });
    await world.live(2 * hour);
    expect(world.first.finalized()).toHaveLength(1);
  });
});
