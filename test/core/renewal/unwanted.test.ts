import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { day, hour, minute } from '../given.ts';
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

const refuse = () => ({ type: 'unauthorized', detail: 'somebody else answered' });

async function removeHost(): Promise<void> {
  const removeHosts = await world.store.wishes.hosts('example.com');
  await world.run(changeWishes('example.com', () => ({ removeHosts }), world.needs));
}

async function expectForgotten(): Promise<void> {
  expect(await world.store.due.at('issue', www)).toBeUndefined();
  expect(await world.store.due.at('remind', www)).toBeUndefined();
  expect(await world.store.issuances.all()).toEqual([]);
  expect(await world.tokensLeft()).toBe(0);
}

async function aTask(id: string): Promise<void> {
  const items = [{ id: www, state: 'waiting' as const }];
  const task = { id, operation: 'renew', createdAt: world.clock.now(), state: 'running' as const, items };
  await world.store.changes.commit({ putTasks: [task] });
  await world.ask(true, id);
}

describe('a host that is removed before it has a certificate', () => {
  it('is neither ordered for nor reminded of any more', async () => {
    world.first.ways.verdict = refuse;
    await world.want({ issuers: ['first'] });
    await world.live(3 * hour);
    const orders = world.first.orders.length;
    await removeHost();
    await world.live(8 * day);
    expect(world.first.orders).toHaveLength(orders);
    expect(await world.events('certificate.reminder')).toEqual([]);
    await expectForgotten();
    expect((await world.store.renewals.get(www)).failingSince).toBeUndefined();
  });

  it('has its open order abandoned at once, with what it presented', async () => {
    world.first.ways.validationMs = hour;
    await world.want({ issuers: ['first'] });
    await world.work();
    expect(await world.store.issuances.all()).toEqual([www]);
    expect(await world.tokensLeft()).toBe(1);
    await removeHost();
    await world.work();
    await expectForgotten();
    await world.live(2 * hour);
    expect(world.first.orders).toHaveLength(1);
    expect(world.first.finalized()).toEqual([]);
  });

  it('has its order abandoned in the end, though the job that was woken for that got lost, or was killed', async () => {
    world.first.ways.validationMs = hour;
    await world.want({ issuers: ['first'] });
    await world.work();
    world.gate.always('jobs.wake', async () => undefined);
    await removeHost();
    world.gate.dieAt(8, 'after');
    await world.handle('issue', www).catch(() => undefined);
    expect(world.gate.isDead).toBe(true);
    await world.takeOver();
    await world.live(minute);
    await expectForgotten();
  });

  it('has the task that waits for it ended, and that says why', async () => {
    world.first.ways.verdict = refuse;
    await world.want({ issuers: ['first'] });
    await world.work();
    await aTask('task-1');
    await removeHost();
    await world.work();
    expect(await world.store.tasks.get('task-1')).toMatchObject({
      state: 'done',
      items: [{ state: 'skipped', note: 'no longer wanted' }],
    });
    await expectForgotten();
  });

  it('is ordered for again when it comes back', async () => {
    world.first.ways.verdict = refuse;
    await world.want({ issuers: ['first'] });
    await world.live(hour);
    await removeHost();
    await world.live(day);
    world.first.ways.verdict = () => undefined;
    await world.want({ issuers: ['first'] });
    await world.work();
    expect(await world.store.certificates.certificate(www)).toBeDefined();
  });
});

describe('a host that is removed while it has a certificate', () => {
  it('is renewed for seven days more and then not, and the certificate stays', async () => {
    await world.want({ issuers: ['first'] });
    await world.work();
    const { renewAt = 0 } = await world.store.renewals.get(www);
    await world.live(renewAt - day - world.clock.now());
    await removeHost();
    await world.live(2 * day);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 2 });
    await world.live(70 * day);
    expect(world.first.orders).toHaveLength(2);
    expect(await world.store.certificates.certificate(www)).toMatchObject({ generation: 2 });
    await expectForgotten();
  });

  it('has a task that asks after those seven days answered, not left waiting', async () => {
    await world.want({ issuers: ['first'] });
    await world.work();
    await removeHost();
    await world.live(8 * day);
    await aTask('task-2');
    await world.work();
    expect((await world.store.tasks.get('task-2'))?.items).toMatchObject([
      { state: 'skipped', note: 'no longer wanted' },
    ]);
    expect(world.first.orders).toHaveLength(1);
  });
});
