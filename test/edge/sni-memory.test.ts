import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createKnownNames } from '../../src/edge/sni-names.ts';
import { createWatch } from '../../src/edge/sni-watch.ts';
import { createMemoryPorts } from '../core/memory-ports.ts';
import { silentLog } from '../store/samples.ts';

const shown = { certificates: [], considered: ['a.test/www.a.test/ec'], endsAt: undefined };
const limits = { most: 10, mostWeight: 100_000 };
const remember = () => createKnownNames(limits, { ...createMemoryPorts(systemClock), clock: systemClock });

test('what was read of a name while it changed is read anew at its next handshake', async () => {
  const names = remember();
  const asOf = names.version;
  await names.outdate([{ kind: 'lineage', name: 'a.test/www.a.test/ec' }]);
  names.put('www.a.test', shown, asOf);
  expect(names.get('www.a.test')).toMatchObject({ isOutdated: true });
  names.put('www.a.test', shown, names.version);
  expect(names.get('www.a.test')).toMatchObject({ isOutdated: false });
});

test('a change of a domain is one of the names under it, and of no others', async () => {
  const names = remember();
  for (const name of ['a.test', 'www.a.test', 'wwwa.test', 'b.test']) names.put(name, shown, names.version);
  expect(await names.outdate([{ kind: 'domain', name: 'a.test' }])).toEqual(['a.test', 'www.a.test']);
});

test('after a time without the store everything may have changed, whatever the numbers say', async () => {
  const told: unknown[] = [];
  let isAway = false;
  let hint = () => {};
  const served = {
    since: async () => {
      if (isAway) throw new Error('no store');
      return { number: 7, changed: [] };
    },
    hear: (heard: () => void) => {
      hint = heard;
      return () => {};
    },
  };
  const needs = { served, clock: systemClock, log: silentLog };
  const watch = await createWatch((changes) => told.push(changes), needs);
  isAway = true;
  hint();
  await expect.poll(() => watch.isAway).toBe(true);
  expect(told).toEqual([]);
  isAway = false;
  await expect.poll(() => told).toEqual(['all']);
  watch.stop();
});
