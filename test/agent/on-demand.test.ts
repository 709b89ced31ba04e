import { expect, onTestFinished, test } from 'vitest';
import { startOnDemand } from '../../src/agent/on-demand.ts';
import { bench, day, useBench } from '../operations/fixture.ts';
import { until } from '../support/process.ts';

useBench();

const mark = 'mark.shops.test';

/** An agent that hears, and what it counted. */
function listen(isWorking = () => true) {
  bench.settings = {
    onDemand: {
      allow: ['*.shops.test'],
      asksPermission: true,
      perDomain: { count: 100, perMs: day },
      mostWaiting: 100,
    },
  };
  const asked: string[] = [];
  const counts: string[] = [];
  const demand = startOnDemand(isWorking, {
    ...bench.needs,
    hostPermission: {
      ask: async (name) => {
        asked.push(name);
        return 403;
      },
    },
    metrics: { count: (_, labels) => void counts.push(Object.values(labels).join()), observe: () => {} },
  });
  onTestFinished(() => demand.stop());
  return { asked, counts, demand };
}

const tell = (name: string) => bench.needs.hostAsks.ask(name);

/** Until the agent hears at all. */
async function heard(asked: readonly string[], name = mark): Promise<void> {
  await until('it hears', async () => {
    await tell(name);
    return asked.includes(name);
  });
}

test('one host told of by many is looked at once, and others in turn', async () => {
  const { asked } = listen();
  await heard(asked);
  const names = Array.from({ length: 8 }, (_, index) => `n${index}.shops.test`);
  await Promise.all(Array.from({ length: 10 }, () => names.map(tell)).flat());
  await until('all are looked at', () => asked.length > names.length);
  expect(asked.toSorted()).toEqual([mark, ...names]);
});

test('what is no host that could be ours is neither looked at nor kept', async () => {
  const { asked, counts } = listen();
  await heard(asked);
  const before = counts.length;
  const junk = [
    '',
    'x'.repeat(100_000),
    'a..shops.test',
    'A.shops.test',
    ' a.shops.test',
    '*.shops.test',
    'a.shops.test\nb.shops.test',
    '192.0.2.7',
    'a.b.shops.test',
    'shops.test',
  ];
  for (const text of junk) await tell(text);
  await tell('last.shops.test');
  await until('the last is looked at', () => asked.includes('last.shops.test'));
  expect(asked).toEqual([mark, 'last.shops.test']);
  expect(counts.slice(before).filter((one) => one === 'notAllowed')).toHaveLength(junk.length);
});

test('an agent that does not work, or has stopped, looks at nothing', async () => {
  const idle = listen(() => false);
  const stopped = listen();
  await stopped.demand.stop();
  const early = listen();
  await heard(early.asked);
  // Whoever looks at a name keeps the others from it.
  await early.demand.stop();
  await tell('nobodys.shops.test');
  const other = listen();
  await heard(other.asked, 'other.shops.test');
  expect(idle.asked).toEqual([]);
  expect(idle.counts).toEqual([]);
  expect(stopped.asked).toEqual([]);
});
