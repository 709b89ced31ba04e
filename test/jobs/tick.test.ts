import { afterEach, describe, expect, it } from 'vitest';
import { startTick, type Tick } from '../../jobs/tick.ts';
import { scheduleChores, upkeepHandler } from '../../jobs/upkeep.ts';
import { systemClock } from '../../src/clock.ts';
import type { DueEntry } from '../../src/core/types.ts';
import { createMemoryLog } from '../support/memory.ts';
import { until } from '../support/process.ts';
import { createCalls, type Shop, startShops } from './given.ts';

const shops = startShops();
const ticks: Tick[] = [];
const hour = 3_600_000;

afterEach(async () => {
  for (const tick of ticks.splice(0)) await tick.stop();
});

/** A tick that runs only when it is told: the second it was given is half a minute away. */
function tickOf({ store, queues }: Shop): Tick {
  const second = (new Date().getSeconds() + 30) % 60;
  const log = createMemoryLog();
  const tick = startTick({ due: store.due, clock: systemClock, log, queues, random: () => second / 60 });
  ticks.push(tick);
  return tick;
}

async function dueAt({ store }: Shop, entries: readonly DueEntry[]): Promise<void> {
  await store.changes.commit({ due: entries });
}

describe('the tick', () => {
  it('adds what is due, to the queue of its kind, and nothing else', async () => {
    const shop = await shops.open();
    const now = Date.now();
    await dueAt(shop, [
      { job: 'issue', id: 'a', at: now - 5 },
      { job: 'deploy', id: 'web|a', at: now - hour },
      { job: 'remind', id: 'a', at: 0 },
      { job: 'notify', id: 'events', at: now - 1 },
      { job: 'upkeep', id: 'backup', at: now - 1 },
      { job: 'issue', id: 'later', at: now + hour },
    ]);
    expect(await tickOf(shop).now()).toBe(5);
    const counts = await shop.queues.counts();
    expect(Object.fromEntries(Object.entries(counts).map(([name, { waiting }]) => [name, waiting]))).toEqual({
      commands: 0,
      issuance: 1,
      deploy: 1,
      notify: 2,
      upkeep: 1,
    });
  });

  it('leaves the due index to the handlers, so that a flushed queue is filled again', async () => {
    const shop = await shops.open();
    await dueAt(shop, [{ job: 'issue', id: 'a', at: 1 }]);
    const tick = tickOf(shop);
    await tick.now();
    expect(await shop.store.due.at('issue', 'a')).toBe(1);
    const client = shop.store.createConnection('wait');
    const keys = await client.keys(`${shop.store.queuePrefix}:*`);
    await client.del(...keys);
    client.disconnect();
    await tick.now();
    const calls = createCalls<string>();
    shop.start({ issue: async (id) => calls.push(id) });
    await calls.reach(1);
  });

  it('of several agents, or twice in a minute, adds each job once', async () => {
    const shop = await shops.open();
    await dueAt(
      shop,
      Array.from({ length: 50 }, (_, index) => ({ job: 'issue' as const, id: `n${index}`, at: 1 })),
    );
    const [one, other] = [tickOf(shop), tickOf(shop)];
    await Promise.all([one.now(), other.now(), one.now(), other.now()]);
    expect((await shop.queues.counts()).issuance.waiting).toBe(50);
  });

  it('adds thousands at once', async () => {
    const shop = await shops.open();
    const entries = Array.from({ length: 2500 }, (_, index) => ({
      job: 'issue' as const,
      id: `n${index}`,
      at: index,
    }));
    await dueAt(shop, entries);
    expect(await tickOf(shop).now()).toBe(2500);
    expect((await shop.queues.counts()).issuance.waiting).toBe(2500);
  });

  it('has the due index computed anew when the clock was set back', async () => {
    const shop = await shops.open();
    let aheadMs = 3650 * 24 * hour;
    const clock = { ...systemClock, now: () => Date.now() + aheadMs };
    const second = (new Date().getSeconds() + 30) % 60;
    const needs = { due: shop.store.due, clock, log: createMemoryLog(), queues: shop.queues };
    const tick = startTick({ ...needs, random: () => second / 60 });
    ticks.push(tick);
    await tick.now();
    expect((await shop.queues.counts()).upkeep.waiting).toBe(0);
    aheadMs = 0;
    await tick.now();
    await tick.now();
    expect((await shop.queues.counts()).upkeep.waiting).toBe(1);
    const calls = createCalls<string>();
    shop.start({ upkeep: async (id) => calls.push(id) });
    await calls.reach(1);
    expect(calls.all).toEqual(['due-index']);
  });

  it('comes back after a fault', async () => {
    const shop = await shops.open();
    await dueAt(shop, [{ job: 'issue', id: 'a', at: 1 }]);
    let isAway = true;
    const due = {
      ...shop.store.due,
      next: async (now: number, limit: number) => {
        if (isAway) throw new Error('Redis is away');
        return shop.store.due.next(now, limit);
      },
    };
    const log = createMemoryLog();
    const second = (new Date().getSeconds() + 30) % 60;
    const needs = { due, clock: systemClock, log, queues: shop.queues, random: () => second / 60 };
    const tick = startTick(needs);
    ticks.push(tick);
    await expect(tick.now()).rejects.toThrow('Redis is away');
    isAway = false;
    expect(await tick.now()).toBe(1);
  });
});

describe('a chore', () => {
  it('comes round whether it succeeds or fails', async () => {
    const shop = await shops.open();
    const calls = createCalls<string>();
    const log = createMemoryLog();
    const chores = {
      good: { everyMs: hour, run: async () => calls.push('good') },
      bad: {
        everyMs: 2 * hour,
        run: async () => {
          calls.push('bad');
          throw new Error('the disk is full');
        },
      },
    };
    const before = Date.now();
    await scheduleChores(chores, { ...shop.store, clock: systemClock });
    expect(await shop.store.due.at('upkeep', 'good')).toBeLessThanOrEqual(Date.now());
    shop.start({ upkeep: upkeepHandler(chores, { ...shop.store, clock: systemClock, log }) });
    await tickOf(shop).now();
    await calls.reach(2);
    await until('both to be due later, the failed one earlier than usual', async () => {
      const at = await Promise.all([shop.store.due.at('upkeep', 'good'), shop.store.due.at('upkeep', 'bad')]);
      return (at[0] ?? 0) >= before + hour && (at[1] ?? 0) >= before + hour / 2;
    });
    expect((await shop.queues.counts()).upkeep.failed).toBe(0);
    await until('the fault to be logged', () =>
      log.lines.some((line) => line.startsWith('warn chore failed')),
    );
  });

  it('keeps its instant over a restart, unless it belongs to the start', async () => {
    const shop = await shops.open();
    const run = async () => undefined;
    const chores = { daily: { everyMs: hour, run }, recovery: { everyMs: hour, atStart: true, run } };
    const later = Date.now() + hour;
    await dueAt(shop, [
      { job: 'upkeep', id: 'daily', at: later },
      { job: 'upkeep', id: 'recovery', at: later },
    ]);
    await scheduleChores(chores, { ...shop.store, clock: systemClock });
    expect(await shop.store.due.at('upkeep', 'daily')).toBe(later);
    expect(await shop.store.due.at('upkeep', 'recovery')).toBeLessThanOrEqual(Date.now());
  });

  it('that a wrong clock put off for years is due at the next start', async () => {
    const shop = await shops.open();
    const chores = { daily: { everyMs: hour, run: async () => undefined } };
    await dueAt(shop, [{ job: 'upkeep', id: 'daily', at: Date.now() + 3650 * 24 * hour }]);
    await scheduleChores(chores, { ...shop.store, clock: systemClock });
    expect(await shop.store.due.at('upkeep', 'daily')).toBeLessThanOrEqual(Date.now());
  });

  it('that is no more leaves the due index', async () => {
    const shop = await shops.open();
    await dueAt(shop, [{ job: 'upkeep', id: 'gone', at: 1 }]);
    const handler = upkeepHandler({}, { ...shop.store, clock: systemClock, log: createMemoryLog() });
    await handler('gone', new AbortController().signal);
    expect(await shop.store.due.at('upkeep', 'gone')).toBeUndefined();
  });
});
