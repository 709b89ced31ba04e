import { describe, expect, test } from 'vitest';
import type { PluginState } from '../../src/core/plugin.ts';
import type { Clock, JournalEntry } from '../../src/core/ports.ts';
import { createLearned } from '../../src/dns/learned.ts';
import { createMemoryLog, createMemoryStore } from '../support/memory.ts';
import { apex, bringIn, createStage, wish } from './stage.ts';

const t0 = 1_800_000_000_000;

/** A zone whose values are looked at as the test says, by a clock that the test moves. */
function createZone(memory: PluginState = createMemoryStore().pluginState('test')) {
  let now = t0;
  let count = 0;
  const clock: Clock = { now: () => now, sleep: async () => {}, after: () => () => {} };
  const learned = createLearned({ memory, clock, log: createMemoryLog() });
  return {
    memory,
    learned,
    add: (zone = 'example.test'): JournalEntry => ({
      ...{ id: `e${++count}`, account: 'main', zone, name: apex, value: 'v', state: 'added' },
      ...{ lineage: 'l', createdAt: now - 50, addedAt: now, leaseUntil: now + 600_000 },
    }),
    pass: (ms: number) => {
      now += ms;
    },
    /** Values that each showed after so long, with a look right before. */
    async saw(...delays: readonly number[]) {
      for (const ms of delays) {
        const entry = this.add();
        now += ms - 10;
        await learned.looked(entry, false);
        now += 10;
        await learned.looked(entry, true);
      }
    },
  };
}

describe('what is learned of a zone', () => {
  test('is nothing before the fourth value', async () => {
    const zone = createZone();
    await zone.saw(3000, 3000, 3000);
    expect(await zone.learned.soonestAt(zone.add())).toBeUndefined();
    expect(await zone.learned.latestMs(zone.add())).toBeUndefined();
  });

  test('is when a look is worth it, from the faster ones, and when nearly all showed, from the slower ones', async () => {
    const zone = createZone();
    await zone.saw(2000, 3000, 4000, 9000, 5000);
    const entry = zone.add();
    expect(((await zone.learned.soonestAt(entry)) ?? 0) - (entry.addedAt ?? 0)).toBe(2700);
    expect(await zone.learned.latestMs(entry)).toBe(5000);
  });

  test('does not hold up a zone that shows at once', async () => {
    const zone = createZone();
    await zone.saw(20, 30, 20, 150, 90);
    expect(await zone.learned.soonestAt(zone.add())).toBeUndefined();
  });

  test('follows a zone that gets faster: the first look comes a little early, and finds the value', async () => {
    const zone = createZone();
    await zone.saw(8000, 8000, 8000, 8000);
    for (let value = 0; value < 60; value++) {
      const entry = zone.add();
      zone.pass(((await zone.learned.soonestAt(entry)) ?? 0) - (entry.addedAt ?? 0));
      await zone.learned.looked(entry, true);
    }
    const entry = zone.add();
    expect(((await zone.learned.soonestAt(entry)) ?? 0) - (entry.addedAt ?? 0)).toBeLessThan(4500);
  });

  test('does not come from a look that was late itself', async () => {
    const zone = createZone();
    for (let value = 0; value < 8; value++) {
      const entry = zone.add();
      zone.pass(600_000);
      await zone.learned.looked(entry, true);
    }
    expect(await zone.learned.latestMs(zone.add())).toBeUndefined();
  });

  test('is of this zone only', async () => {
    const zone = createZone();
    await zone.saw(3000, 3000, 3000, 3000);
    expect(await zone.learned.soonestAt(zone.add('other.test'))).toBeUndefined();
  });

  test('outlives the process, twenty values of it', async () => {
    const zone = createZone();
    for (let value = 0; value < 30; value++) {
      await zone.saw(value < 15 ? 60_000 : 3000);
      zone.pass(600_000);
    }
    const next = createZone(zone.memory);
    const entry = next.add();
    expect(((await next.learned.soonestAt(entry)) ?? 0) - t0).toBe(2700);
    expect(JSON.parse((await zone.memory.get('propagation/main/example.test')) ?? '')).toHaveLength(20);
  });

  test('is nothing where what was kept is broken or cannot be read', async () => {
    const broken = createZone({ get: async () => '{"a":', set: async () => {} });
    expect(await broken.learned.soonestAt(broken.add())).toBeUndefined();
    const away = createZone({
      get: () => Promise.reject(new Error('away')),
      set: () => Promise.reject(new Error('away')),
    });
    await away.saw(3000, 3000, 3000, 3000);
    expect(await away.learned.latestMs(away.add())).toBe(3000);
  });
});

test('a slow zone costs few questions once it is known, also to the next agent', async () => {
  const { agent, front } = await createStage({ publishDelayMs: 700 });
  const dns = agent();
  const questions = () => front.queries.filter((query) => query.includes(' TXT ')).length;
  const costs: number[] = [];
  for (const host of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const before = questions();
    const by = host === 'f' ? agent() : dns;
    await bringIn(by, [wish(`${host}.example.test`, 'value')]);
    costs.push(questions() - before);
  }

  expect(costs[0]).toBeGreaterThanOrEqual(4);
  expect(Math.max(...costs.slice(4))).toBeLessThanOrEqual(3);
});
