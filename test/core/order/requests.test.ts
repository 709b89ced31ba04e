import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { renew } from '../../../src/core/renewal/renew.ts';
import type { Task } from '../../../src/core/types.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { eachWorld } from '../each-world.ts';
import { failing } from '../gate.ts';
import { day, minute, t0 } from '../given.ts';
import { type World, www } from '../world.ts';

let world: World;

eachWorld((opened) => {
  world = opened;
});

const down = failing(new AgentError('acme.network', 'no route'));

async function task(id: string): Promise<void> {
  const one: Task = {
    id,
    operation: 'renew',
    createdAt: world.clock.now(),
    state: 'running',
    items: [{ id: www, state: 'waiting' }],
  };
  await world.store.changes.commit({ putTasks: [one] });
}

async function itemOf(id: string): Promise<Task['items'][number] | undefined> {
  return (await world.store.tasks.get(id))?.items[0];
}

async function generation(lineage = www): Promise<number | undefined> {
  return (await world.store.certificates.certificate(lineage))?.generation;
}

describe('a request', () => {
  it('for what is not due is answered as skipped, and orders nothing', async () => {
    await world.want();
    await world.renew();
    await task('t1');
    await world.ask(false, 't1');
    expect(await world.renew()).toBeUndefined();
    expect(await itemOf('t1')).toEqual({ id: www, state: 'skipped', note: 'not due' });
    expect(world.first.orders).toHaveLength(1);
    expect((await world.store.renewals.get(www)).requested).toBeUndefined();
    expect((await world.store.renewals.get(www)).renewAt).toBeGreaterThan(t0 + 50 * day);
    expect(await world.store.due.at('issue', www)).toBeGreaterThan(world.clock.now());
  });

  it('that forces orders once and tells the serial', async () => {
    await world.want();
    await world.renew();
    await task('t1');
    await world.ask(true, 't1');
    await world.renew();
    await world.live(day);
    const serial = (await world.store.certificates.certificate(www))?.serial;
    expect(await itemOf('t1')).toEqual({ id: www, state: 'done', note: serial });
    expect(world.first.orders).toHaveLength(2);
  });

  it('that fails tells why, and stays a wish on the ladder until it is fulfilled', async () => {
    await world.want();
    await world.renew();
    await task('t1');
    await world.ask(true, 't1');
    world.gate.once('first.newOrder', down);
    await world.live(day);
    expect(await itemOf('t1')).toEqual({ id: www, state: 'failed', note: 'no route' });
    expect(world.first.orders).toHaveLength(2);
    expect(await generation()).toBe(2);
    expect((await world.store.renewals.get(www)).requested).toBeUndefined();
  });

  it('that comes during an order is carried out once more after it', async () => {
    await world.want();
    await task('t1');
    world.gate.once('first.finalize', async (proceed) => {
      await world.ask(true, 't1');
      return proceed();
    });
    await world.renew();
    expect(await generation()).toBe(2);
    expect(await itemOf('t1')).toMatchObject({ state: 'done' });
    await world.live(day);
    expect(world.first.finalized()).toHaveLength(2);
  });

  it('that comes while the CA validates is answered by that order', async () => {
    await world.want();
    world.first.ways.validationMs = 4 * minute;
    const again = await world.renew();
    expect(again).toBeDefined();
    await task('t1');
    await world.ask(true, 't1');
    await world.renew();
    await world.live(day);
    expect(world.first.orders).toHaveLength(1);
    expect(await itemOf('t1')).toMatchObject({ state: 'done' });
  });

  it('that comes while the job polls is looked at, not slept over', async () => {
    await world.want();
    world.first.ways.validationMs = 4 * minute;
    await task('t1');
    world.gate.once('first.order', async (proceed) => {
      await world.ask(false, 't1');
      return proceed();
    });
    const again = await world.renew();
    expect(again).toBeDefined();
    await world.live(10 * minute);
    expect(await itemOf('t1')).toMatchObject({ state: 'done' });
    expect(world.first.orders).toHaveLength(1);
  });

  it('skips the ladder', async () => {
    await world.want();
    world.gate.once('first.newOrder', down);
    world.gate.once('first.newOrder', down);
    await world.live(2 * minute);
    expect((await world.store.renewals.get(www)).failures).toBe(2);
    await world.ask(false);
    await world.renew();
    expect(await generation()).toBe(1);
  });

  it('of the same lineage from two workers at once is worked on by one', async () => {
    await world.want();
    const signal = new AbortController().signal;
    const both = await world.run(
      Promise.all([renew(www, world.needs, signal), renew(www, world.needs, signal)]),
    );
    expect(both.filter((again) => again !== undefined)).toHaveLength(1);
    expect(world.first.orders).toHaveLength(1);
    expect(await generation()).toBe(1);
  });
});

describe('a wish that changes during an order', () => {
  const group = (names: readonly string[]) => ({
    domain: 'example.com',
    label: 'shop',
    names,
    origin: { kind: 'runtime' as const },
  });
  const shop = 'example.com/shop/ec';

  async function wantNames(names: readonly string[]): Promise<void> {
    await world.run(changeWishes('example.com', () => ({ putGroups: [group(names)] }), world.needs));
  }

  beforeEach(async () => {
    await world.want({ challenge: 'dns-01', dnsAccount: 'zone' }, []);
    await wantNames(['a.example.com']);
  });

  it('abandons the old order, removes what it presented, and orders for the new wish', async () => {
    world.first.ways.validationMs = 4 * minute;
    expect(await world.renew(shop)).toBeDefined();
    expect(world.zone.records.size).toBe(1);
    await wantNames(['a.example.com', 'b.example.com']);
    world.first.ways.validationMs = 40;
    await world.live(10 * minute);
    expect(await world.store.certificates.certificate(shop)).toMatchObject({
      generation: 1,
      names: ['a.example.com', 'b.example.com'],
    });
    expect(world.first.orders).toHaveLength(2);
    expect(world.first.finalized()).toHaveLength(1);
    expect(world.zone.records.size).toBe(0);
    expect(await world.store.issuances.all()).toEqual([]);
  });

  it('in the very job is followed by an order for the new wish', async () => {
    world.gate.once('first.finalize', async (proceed) => {
      await changeWishes('example.com', () => ({ putGroups: [group(['b.example.com'])] }), {
        ...world.store,
        clock: world.clock,
        jobs: world.needs.jobs,
        settings: world.needs.settings,
      });
      return proceed();
    });
    await world.live(2 * minute);
    expect(await world.store.certificates.certificate(shop)).toMatchObject({ names: ['b.example.com'] });
  });

  it('back to what is held ends the failing, and says so to those who were told', async () => {
    await world.live(minute);
    world.first.ways.verdict = () => ({ type: 'caa', detail: 'CAA forbids' });
    world.second.ways.verdict = world.first.ways.verdict;
    await wantNames(['a.example.com', 'b.example.com']);
    await world.live(day + minute);
    expect((await world.store.renewals.get(shop)).failures).toBeGreaterThan(1);
    await wantNames(['a.example.com']);
    await world.live(10 * day);
    expect(await world.store.renewals.get(shop)).toMatchObject({ failures: 0, reminders: { count: 0 } });
    expect(await world.events('certificate.recovered', shop)).toHaveLength(1);
    expect((await world.events('certificate.reminder', shop)).length).toBeLessThanOrEqual(2);
  });

  it('to fewer names forgets a forced order that is not needed any more, with what it presented', async () => {
    await wantNames(['a.example.com', 'b.example.com']);
    await world.live(minute);
    expect(await generation(shop)).toBe(1);
    world.first.ways.validationMs = 4 * minute;
    await world.ask(true, undefined, shop);
    expect(await world.renew(shop)).toBeDefined();
    expect(world.zone.records.size).toBe(2);
    await wantNames([]);
    await world.run(
      changeWishes(
        'example.com',
        ({ domain }) => (domain === undefined ? {} : { domain: { ...domain, mode: 'individual' } }),
        world.needs,
      ),
    );
    await world.live(20 * minute);
    expect(world.zone.records.size).toBe(0);
    expect(await world.store.issuances.all()).toEqual([]);
  });

  it('to nothing, by removing the domain, takes what was presented with it', async () => {
    world.first.ways.validationMs = 4 * minute;
    expect(await world.renew(shop)).toBeDefined();
    expect(world.zone.records.size).toBe(1);
    await world.run(changeWishes('example.com', () => ({ removeDomain: true }), world.needs));
    await world.live(10 * minute);
    expect(world.zone.records.size).toBe(0);
    expect(await world.store.issuances.all()).toEqual([]);
    expect(await world.store.due.next(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  });
});
