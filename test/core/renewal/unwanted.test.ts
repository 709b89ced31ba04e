import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/core/errors.ts';
import { editRenewal } from '../../../src/core/records.ts';
import { changeWishes } from '../../../src/core/wishes/reconcile.ts';
import { ack } from '../../../src/operations/ack.ts';
import { day, hour, minute, t0 } from '../given.ts';
import { runIn } from '../run-command.ts';
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
  await world.run(removeNow());
}

/** In the middle of other work. */
async function removeNow(): Promise<void> {
  await changeWishes('example.com', ({ hosts }) => ({ removeHosts: hosts }), world.needs);
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

describe('a host that is removed before it has a certificate, with nothing to tell of it but the due index,', () => {
  const lastLook = async () => (await world.store.due.at('issue', www)) ?? Number.POSITIVE_INFINITY;

  /** While an order is under way, and people were told that it fails. */
  async function failing(): Promise<void> {
    world.first.ways.validationMs = hour;
    await world.want({ issuers: ['first'] });
    await world.work();
    await editRenewal(www, world.store, (state) => ({
      putRenewals: [{ ...state, failures: 6, failingSince: t0 - 2 * day, retryAt: t0 + day }],
    }));
    world.gate.always('jobs.wake', async () => undefined);
  }

  async function expectEnded(): Promise<void> {
    expect(await lastLook()).toBeLessThanOrEqual(world.clock.now() + minute);
    await world.live(2 * minute);
    await expectForgotten();
  }

  it('has its order ended, though a reminder is sent at that moment', async () => {
    await failing();
    world.gate.once('renewals.get', async (proceed) => {
      const state = await proceed();
      await removeNow();
      return state;
    });
    await world.handle('remind', www);
    await expectEnded();
  });

  it('has its order ended, though somebody silences its reminders at that moment', async () => {
    await failing();
    await removeHost();
    await runIn(world, ack, { name: 'www.example.com' });
    await expectEnded();
  });

  it('has its order ended, though an attempt fails at that moment', async () => {
    await failing();
    world.gate.once('first.order', async () => {
      await removeNow();
      throw new AgentError('acme.server', 'the CA answers 500');
    });
    await world.ask(false);
    await world.handle('issue', www);
    await expectEnded();
  });

  it('has its order ended, though the CA has it wait at that moment', async () => {
    await failing();
    world.gate.once('budget.hold', async () => {
      await removeNow();
      return { name: 'requests', left: 0, readyAt: t0 + day };
    });
    await world.ask(false);
    await world.handle('issue', www);
    await expectEnded();
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
