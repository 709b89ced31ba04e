import { expect, it } from 'vitest';
import { type Chore, scheduleChores, upkeepHandler } from '../../jobs/upkeep.ts';
import { systemClock } from '../../src/clock.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startShops } from './given.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const start = Date.UTC(2026, 0, 1);
const failed = 'warn chore failed; it is tried again';
const shops = startShops();

/** One chore a day on a store of its own, at a time that the test sets. */
async function daily(more: Omit<Chore, 'everyMs'>) {
  const { store } = await shops.open();
  const log = createMemoryLog();
  let now = start;
  const needs = { ...store, clock: { ...systemClock, now: () => now }, log };
  const chores = { daily: { everyMs: day, ...more } };
  const handler = upkeepHandler(chores, needs);
  return {
    store,
    log,
    schedule: () => scheduleChores(chores, needs),
    run: (signal = new AbortController().signal) => handler('daily', signal),
    dueAt: () => store.due.at('upkeep', 'daily'),
    askFor: (at: number) => store.changes.commit({ due: [{ job: 'upkeep', id: 'daily', at }] }),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('a chore that fails is tried again within the hour, and told once until it succeeds', async () => {
  let fault: string | undefined = 'the disk is full';
  const chore = await daily({
    run: async () => {
      if (fault !== undefined) throw new Error(fault);
    },
  });
  for (let attempt = 1; attempt <= 3; attempt++) {
    await chore.run();
    expect(await chore.dueAt()).toBe(start + attempt * 30 * minute);
    chore.pass(30 * minute);
  }
  const events = await chore.store.events.recent(10);
  expect(events.map(({ type, facts }) => [type, facts.chore, facts.message])).toEqual([
    ['chore.failed', 'daily', 'unexpected: the disk is full'],
  ]);
  const isTold = (line: string) => !line.startsWith('debug');
  const told = () => chore.log.lines.filter(isTold).map((line) => line.split(' {')[0]);
  expect(told()).toEqual([failed]);
  fault = undefined;
  await chore.run();
  expect(await chore.dueAt()).toBe(start + 90 * minute + day);
  fault = 'again';
  await chore.run();
  expect(told()).toEqual([failed, 'info chore succeeds again', failed]);
  expect(await chore.store.events.recent(10)).toHaveLength(2);
});

it('one whose agent is killed in the middle of it is due again within the hour', async () => {
  const chore = await daily({ run: () => new Promise(() => {}) });
  void chore.run();
  await expect.poll(() => chore.dueAt()).toBe(start + 30 * minute);
});

it('one that an agent breaks off as it ends is no failure', async () => {
  const chore = await daily({ run: async (signal) => signal.throwIfAborted() });
  await chore.run(AbortSignal.abort(new Error('the agent ends')));
  expect(await chore.dueAt()).toBe(start + 30 * minute);
  expect(chore.log.lines).toEqual([]);
  expect(await chore.store.events.recent(10)).toEqual([]);
});

it('one that is asked for while it runs comes round when it was asked for', async () => {
  const chore = await daily({ run: () => chore.askFor(start + minute) });
  await chore.run();
  expect(await chore.dueAt()).toBe(start + minute);
});

it('one that need not run at the first start is due when it says so', async () => {
  const chore = await daily({ firstMs: 15 * minute, run: async () => {} });
  await chore.schedule();
  expect(await chore.dueAt()).toBe(start + 15 * minute);
  chore.pass(10 * minute);
  await chore.schedule();
  expect(await chore.dueAt()).toBe(start + 15 * minute);
});

it('an errand comes back when it says so, and leaves the due index when it is through', async () => {
  const { store } = await shops.open();
  const asked: string[] = [];
  const needs = { ...store, clock: systemClock, log: createMemoryLog() };
  const errand = async (argument: string) => {
    asked.push(argument);
    return asked.length === 1 ? { again: start } : undefined;
  };
  const handler = upkeepHandler({}, needs, { carry: errand });
  const id = 'carry/one/two';
  await store.changes.commit({ due: [{ job: 'upkeep', id, at: start }] });
  const signal = new AbortController().signal;
  expect(await handler(id, signal)).toEqual({ again: start });
  expect(await store.due.at('upkeep', id)).toBe(start);
  expect(await handler(id, signal)).toBeUndefined();
  expect(await store.due.at('upkeep', id)).toBeUndefined();
  expect(asked).toEqual(['one/two', 'one/two']);
});
