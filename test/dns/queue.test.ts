import { describe, expect, test } from 'vitest';
import { createQueue, type Waiting } from '../../src/dns/queue.ts';
import { createVirtualClock } from '../core/virtual-clock.ts';

interface Item extends Waiting {
  readonly name: string;
}

/** A queue whose flights end when the test says so. */
function createScene() {
  const clock = createVirtualClock(0);
  const flights: { readonly at: number; readonly names: readonly string[]; readonly land: () => void }[] = [];
  let timesEmpty = 0;
  const queue = createQueue<Item>(clock, {
    depart: () =>
      new Promise((land) => {
        flights.push({ at: clock.now(), names: queue.take().map(({ name }) => name), land });
      }),
    emptied: () => {
      timesEmpty++;
    },
  });
  return {
    clock,
    queue,
    flights,
    timesEmpty: () => timesEmpty,
    push: (name: string, waitMs: number, hurries = true) =>
      queue.push({ name, hurries, flyAt: clock.now() + waitMs }),
    async land() {
      flights.at(-1)?.land();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe('a queue', () => {
  test('lingers for the one that may wait least, and takes all along', () => {
    const { clock, flights, push } = createScene();
    push('slow', 2000, false);
    clock.moveTo(10);
    push('quick', 50);
    clock.moveTo(59);
    expect(flights).toEqual([]);
    clock.moveTo(60);
    expect(flights).toMatchObject([{ at: 60, names: ['slow', 'quick'] }]);
  });

  test('gathers while a flight is out, however long, and flies again as soon as it landed', async () => {
    const { clock, flights, push, land } = createScene();
    push('a', 50);
    clock.moveTo(50);
    push('b', 50);
    push('c', 50);
    clock.moveTo(5000);
    expect(flights).toHaveLength(1);
    await land();
    expect(flights).toMatchObject([{ names: ['a'] }, { at: 5000, names: ['b', 'c'] }]);
  });

  test('lets what does not hurry linger on after a flight', async () => {
    const { clock, flights, push, land } = createScene();
    push('a', 50);
    clock.moveTo(50);
    push('removal', 2000, false);
    clock.moveTo(100);
    await land();
    expect(flights).toHaveLength(1);
    clock.moveTo(2050);
    expect(flights).toMatchObject([{ names: ['a'] }, { at: 2050, names: ['removal'] }]);
  });

  test('sends off what waits when it is hurried, but never a second flight beside one', async () => {
    const { clock, flights, push, queue, land } = createScene();
    push('a', 2000, false);
    const hurried = queue.hurry();
    expect(flights).toMatchObject([{ at: 0, names: ['a'] }]);
    push('b', 50);
    clock.moveTo(100);
    void queue.hurry();
    expect(flights).toHaveLength(1);
    await land();
    await hurried;
    expect(flights).toMatchObject([{ names: ['a'] }, { names: ['b'] }]);
  });

  test('says when it is empty, and not before', async () => {
    const { clock, push, land, timesEmpty } = createScene();
    push('a', 50);
    clock.moveTo(50);
    push('b', 50);
    await land();
    expect(timesEmpty()).toBe(0);
    await land();
    expect(timesEmpty()).toBe(1);
  });
});
