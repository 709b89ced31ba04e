import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/index.ts';
import { moreRuns } from '../support/more-runs.ts';
import { startStore, type TestStore } from '../support/store.ts';
import {
  begin,
  budgetOf,
  close,
  createModel,
  type Lost,
  lose,
  type Model,
  pass,
  proceed,
  useElsewhere,
} from './budget-world.ts';
import type { Order } from './rate-limited-ca.ts';

const minute = 60_000;
const hour = 60 * minute;

let held: TestStore;
let stores: readonly Store[];

beforeAll(async () => {
  held = await startStore();
  stores = [held.store, await held.again(), await held.again()];
});
afterAll(() => held?.stop());

const names = fc.constantFrom(
  ['a.one.test'],
  ['b.one.test'],
  ['a.one.test', 'b.one.test'],
  ['two.test', '*.two.test'],
  ['a.one.test', 'two.test'],
);
const exempt = fc.constantFrom<Order['exempt']>('none', 'none', 'none', 'renewal', 'advised');
const worker = fc.nat({ max: 2 });
const isMostly = fc.constantFrom(true, true, true, false);

type Action = (model: Model) => Promise<void> | void;

/** With its name and arguments in a counterexample. */
function told<T>(name: string, act: (given: T, model: Model) => Promise<void> | void): (given: T) => Action {
  return (given) => {
    const action: Action = (model) => act(given, model);
    return Object.assign(action, { [fc.toStringMethod]: () => `${name} ${JSON.stringify(given)}` });
  };
}

const beginning = (urgent: fc.Arbitrary<boolean>) =>
  fc.record({ who: worker, order: fc.record({ names, exempt, urgent }) }).map(
    told('begin', async ({ who, order }, model) => {
      if (model.underWay[who] === undefined) await begin(model, who, order);
    }),
  );
const proceeding = fc
  .record({ who: worker, succeeds: isMostly })
  .map(told('proceed', ({ who, succeeds }, model) => proceed(model, who, succeeds)));
const losing = fc
  .record({ who: worker, what: fc.constantFrom<Lost>('answer', 'worker', 'memory') })
  .map(told('lose', ({ who, what }, model) => lose(model, who, what)));
const usingElsewhere = fc
  .record({ names, exempt: fc.constant('none' as const) })
  .map(told('use elsewhere', (order, model) => useElsewhere(model, order)));
const closing = fc
  .integer({ min: minute, max: 30 * hour })
  .map(told('close', (ms, model) => close(model, ms)));
const passing = fc
  .record({ ms: fc.oneof(fc.nat({ max: 90_000 }), fc.nat({ max: 3 * hour })), succeeds: isMostly })
  .map(told('pass', ({ ms, succeeds }, model) => pass(model, ms, succeeds)));

/** Of what our ledger hears only from the CA. */
interface Unforeseen {
  readonly elsewhere?: number;
  readonly closed?: number;
}

const history = (urgent: fc.Arbitrary<boolean>, { elsewhere = 0, closed = 0 }: Unforeseen = {}) =>
  fc.array(
    fc.oneof(
      { arbitrary: usingElsewhere, weight: elsewhere },
      { arbitrary: closing, weight: closed },
      { arbitrary: losing, weight: 1 },
      { arbitrary: beginning(urgent), weight: 4 },
      { arbitrary: proceeding, weight: 5 },
      { arbitrary: passing, weight: 1 },
    ),
    { minLength: 20, maxLength: 80 },
  );

const together = [0, 0, 0];
const skew = fc.integer({ min: -5 * minute, max: 5 * minute });

async function play(actions: readonly Action[], ahead: readonly number[] = together): Promise<Model> {
  const model = createModel(stores, ahead);
  for (const action of actions) await action(model);
  return model;
}

describe('three workers on one ledger, in any order of events', () => {
  it('never have an order refused, nor a certificate beyond the limit', async () => {
    let admitted = 0;
    await fc.assert(
      fc.asyncProperty(history(fc.constant(false)), async (actions) => {
        const model = await play(actions);
        admitted += model.admitted;
        expect(model.surprises).toEqual([]);
        expect(model.ca.exceeded).toEqual([]);
      }),
      { numRuns: moreRuns(150) },
    );
    expect(admitted).toBeGreaterThan(500);
  });

  it('have none refused but those that urgency sent as probes', async () => {
    let probesRefused = 0;
    await fc.assert(
      fc.asyncProperty(history(fc.boolean()), async (actions) => {
        const model = await play(actions);
        probesRefused += model.probesRefused;
        expect(model.surprises).toEqual([]);
      }),
      { numRuns: moreRuns(150) },
    );
    expect(probesRefused).toBeGreaterThan(0);
  });

  it('have none refused but what teaches the ledger of use from elsewhere', async () => {
    let lessons = 0;
    await fc.assert(
      fc.asyncProperty(history(fc.boolean(), { elsewhere: 1 }), async (actions) => {
        const model = await play(actions);
        lessons += model.lessons;
        expect(model.surprises).toEqual([]);
      }),
      { numRuns: moreRuns(100) },
    );
    expect(lessons).toBeGreaterThan(0);
  });

  it('leave a CA alone that wants to be, once one of them heard of it, but for a probe a day', async () => {
    let lessons = 0;
    await fc.assert(
      fc.asyncProperty(history(fc.boolean(), { closed: 1 }), async (actions) => {
        const model = await play(actions);
        lessons += model.lessons;
        expect(model.surprises).toEqual([]);
      }),
      { numRuns: moreRuns(80) },
    );
    expect(lessons).toBeGreaterThan(0);
  });

  it('whose clocks differ exceed a limit by no more than it refills in that time', async () => {
    const ahead = fc.tuple(fc.constant(0), skew, skew);
    let admitted = 0;
    await fc.assert(
      fc.asyncProperty(history(fc.constant(false)), ahead, async (actions, clocks) => {
        const model = await play(actions, clocks);
        admitted += model.admitted;
        const apartMs = Math.max(...clocks) - Math.min(...clocks);
        expect(model.surprisedByMs).toBeLessThanOrEqual(2 * apartMs + 1);
        expect(model.ca.exceededByMs).toBeLessThanOrEqual(2 * apartMs + 1);
      }),
      { numRuns: moreRuns(80) },
    );
    expect(admitted).toBeGreaterThan(300);
  });

  it('have all that the CA allows again once nothing was asked for its period', async () => {
    await fc.assert(
      fc.asyncProperty(history(fc.boolean(), { elsewhere: 1 }), async (actions) => {
        const model = await play(actions);
        // Debts of probes, and what failed late, take up to another period or two.
        await pass(model, 40 * hour, true);
        const levels = await budgetOf(model, 0).levels('ca', [['a.one.test'], ['two.test', '*.two.test']]);
        expect(levels).not.toEqual([]);
        expect(levels.filter(({ left, count }) => left !== count)).toEqual([]);
      }),
      { numRuns: moreRuns(30) },
    );
  });
});
