import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBudget } from '../../src/acme/budget.ts';
import { systemClock } from '../../src/clock.ts';
import { type AgentError, toAgentError } from '../../src/core/errors.ts';
import type { Admission, Budget } from '../../src/core/ports.ts';
import { secret } from '../../src/core/secret.ts';
import type { Instant } from '../../src/core/types.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
import { moreRuns } from '../support/more-runs.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { createRateLimitedCa, type Order, type RateLimitedCa } from './rate-limited-ca.ts';

const minute = 60_000;
const hour = 60 * minute;
const limits = {
  ordersPerAccount: { count: 6, perMs: 6 * minute },
  certificatesPerDomain: { count: 4, perMs: 8 * hour },
  certificatesPerNames: { count: 2, perMs: 4 * hour },
  failuresPerName: { count: 2, perMs: 2 * hour },
};

/** The CA hears of an order so soon after our ledger admitted it, and of its end. */
const longestRequestMs = minute;
const longestOrderMs = hour;

let redis: TestRedis;
let stores: Store[];
let runs = 0;

beforeAll(async () => {
  redis = await startRedis();
  const clock = systemClock;
  const masterKeys = [secret<Uint8Array>(randomBytes(32))];
  stores = [];
  for (let worker = 0; worker < 3; worker++)
    stores.push(await openStore({ redis: { url: redis.url }, masterKeys, clock, log: createMemoryLog() }));
});
afterAll(async () => {
  await Promise.all((stores ?? []).map((store) => store.close()));
  await redis?.stop();
});

interface UnderWay extends Order {
  readonly admission: Admission & { readonly admitted: true };
  readonly admittedAt: Instant;
  readonly urgent: boolean;
  isOrdered: boolean;
  /** Its worker was killed, or the CA's answer got lost: the next run orders anew, whatever the CA has made of it. */
  isLost: boolean;
  /** Before the CA heard of it, a probe took what was meant for it, or the CA failed one of its names. */
  isOvertaken: boolean;
}

/** Three workers, each with one order at a time, on one ledger and one CA. */
interface Model {
  now: Instant;
  /** By how much the clock of each worker is ahead. */
  readonly ahead: readonly number[];
  readonly ca: RateLimitedCa;
  readonly budgets: readonly Budget[];
  readonly underWay: (UnderWay | undefined)[];
  admitted: number;
  /** Orders that the CA refused and our ledger had not foreseen. */
  readonly surprises: string[];
  /** How long the longest of them has to wait by the CA's word. */
  surprisedByMs: number;
  probesRefused: number;
  /** Limits of which somebody else with our account or domains took, without our ledger having heard of it. */
  readonly unknown: Set<string>;
  /** Refusals that taught the ledger of that. */
  lessons: number;
}

function createModel(ahead: readonly number[]): Model {
  const directoryUrl = `https://ca.test/${++runs}`;
  const model: Model = {
    now: Date.UTC(2026, 10, 20),
    ahead,
    ca: createRateLimitedCa(limits),
    budgets: stores.map(({ buckets }, worker) =>
      createBudget([{ name: 'ca', directoryUrl, limits }], {
        buckets,
        clock: { ...systemClock, now: () => model.now + (ahead[worker] ?? 0) },
        log: createMemoryLog(),
      }),
    ),
    underWay: [undefined, undefined, undefined],
    admitted: 0,
    surprises: [],
    surprisedByMs: 0,
    probesRefused: 0,
    unknown: new Set(),
    lessons: 0,
  };
  return model;
}

async function begin(
  model: Model,
  worker: number,
  order: Order & { readonly urgent: boolean },
): Promise<void> {
  const admission = await budgetOf(model, worker).admit({
    issuer: 'ca',
    names: order.names,
    isAdvised: order.exempt === 'advised',
    lastIssuedAt: order.exempt === 'renewal' ? model.now - 60 * 24 * hour : undefined,
    urgent: order.urgent,
  });
  if (!admission.admitted) return;
  model.admitted++;
  if (admission.isProbe) overtake(model, () => true);
  model.underWay[worker] = {
    ...order,
    admission,
    admittedAt: model.now,
    isOrdered: false,
    isLost: false,
    isOvertaken: false,
  };
}

function overtake({ underWay }: Model, concerns: (order: Order) => boolean): void {
  for (const order of underWay)
    if (order !== undefined && !order.isOrdered && concerns(order)) order.isOvertaken = true;
}

/** The next thing that happens to the order of a worker: the CA takes it, then ends it. */
async function proceed(model: Model, worker: number, succeeds: boolean): Promise<void> {
  const order = model.underWay[worker];
  if (order === undefined) return;
  const { ca, now } = model;
  const budget = budgetOf(model, worker);
  const { admission } = order;
  if (order.isLost) {
    model.underWay[worker] = undefined;
    await budget.giveBack(admission.spent);
    return begin(model, worker, order);
  }
  if (!order.isOrdered) {
    try {
      ca.newOrder(order, now);
      order.isOrdered = true;
    } catch (error) {
      return refused(model, worker, { order, refusal: toAgentError(error) });
    }
    if (admission.isProbe) await budget.endHolds('ca', order.names);
    return;
  }
  model.underWay[worker] = undefined;
  if (succeeds) return ca.issue(order, now);
  ca.fail(order, now);
  overtake(model, ({ names }) => names.some((name) => order.names.includes(name)));
  await budget.validationFailed('ca', order.names);
  await budget.giveBack(admission.spent);
}

async function refused(
  model: Model,
  worker: number,
  { order, refusal }: { readonly order: UnderWay; readonly refusal: AgentError },
): Promise<void> {
  const budget = budgetOf(model, worker);
  const bucket = String(refusal.facts.bucket);
  const isLesson = model.unknown.has(bucket);
  if (order.admission.isProbe) model.probesRefused++;
  else if (!order.isOvertaken && !isLesson) {
    model.surprises.push(refusal.message);
    model.surprisedByMs = Math.max(model.surprisedByMs, (refusal.retryAt ?? 0) - model.now);
  }
  model.underWay[worker] = undefined;
  // As the renewal does it: the order is forgotten first.
  await budget.giveBack(order.admission.spent);
  await budget.learn({ issuer: 'ca', names: order.names, isUnderWay: false }, refusal);
  if (!isLesson) return;
  model.lessons++;
  // What the others began before it was learnt could not know.
  overtake(model, () => true);
  if (bucket === 'closed') {
    model.unknown.delete(bucket);
    return;
  }
  const { perMs } = limits[bucket.split(' ')[0] as keyof typeof limits];
  if ((refusal.retryAt ?? 0) - model.now <= perMs) model.unknown.delete(bucket);
}

type Lost = 'answer' | 'worker' | 'memory';

/** The next run of a worker knows only what was stored before the CA was asked; killed before that, nothing. */
function lose(model: Model, worker: number, what: Lost): void {
  const order = model.underWay[worker];
  if (order === undefined || order.isOrdered || order.isLost) return;
  if (what === 'memory') model.underWay[worker] = undefined;
  order.isLost = true;
  if (what !== 'answer') return;
  try {
    model.ca.newOrder(order, model.now);
  } catch {
    // Nobody heard of the refusal either.
  }
}

/** Another agent, with a store of its own, gets a certificate under our account. */
function useElsewhere(model: Model, order: Order): void {
  try {
    model.ca.newOrder(order, model.now);
  } catch {
    return;
  }
  model.ca.issue(order, model.now);
  for (const bucket of model.ca.touched(order)) model.unknown.add(bucket);
  overtake(model, () => true);
}

/** The CA wants to be left alone, of which the first that asks hears. */
function close(model: Model, ms: number): void {
  model.ca.closeUntil(model.now + ms);
  model.unknown.add('closed');
}

/** Time passes; what must have happened by then happens. */
async function pass(model: Model, ms: number, succeeds: boolean): Promise<void> {
  const end = model.now + ms;
  for (;;) {
    const deadlines = model.underWay.map((order) =>
      order === undefined
        ? Number.POSITIVE_INFINITY
        : order.admittedAt + (order.isOrdered ? longestOrderMs : longestRequestMs),
    );
    const first = Math.min(...deadlines);
    if (first > end) break;
    model.now = Math.max(model.now, first);
    await proceed(model, deadlines.indexOf(first), succeeds);
  }
  model.now = end;
}

function budgetOf(model: Model, worker: number): Budget {
  const budget = model.budgets[worker];
  if (budget === undefined) throw new Error(`no worker ${worker}`);
  return budget;
}

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

type Action = (model: Model) => Promise<void>;

const beginning = (urgent: fc.Arbitrary<boolean>) =>
  fc.tuple(worker, fc.record({ names, exempt, urgent })).map(
    ([who, order]): Action =>
      async (model) => {
        if (model.underWay[who] === undefined) await begin(model, who, order);
      },
  );
const proceeding = fc.tuple(worker, isMostly).map(
  ([who, succeeds]): Action =>
    (model) =>
      proceed(model, who, succeeds),
);
const losing = fc.tuple(worker, fc.constantFrom<Lost>('answer', 'worker', 'memory')).map(
  ([who, what]): Action =>
    async (model) =>
      lose(model, who, what),
);
const usingElsewhere = fc.record({ names, exempt: fc.constant('none' as const) }).map(
  (order): Action =>
    async (model) =>
      useElsewhere(model, order),
);
const closing = fc.integer({ min: minute, max: 30 * hour }).map(
  (ms): Action =>
    async (model) =>
      close(model, ms),
);
const passing = fc.tuple(fc.oneof(fc.nat({ max: 90_000 }), fc.nat({ max: 3 * hour })), isMostly).map(
  ([ms, succeeds]): Action =>
    (model) =>
      pass(model, ms, succeeds),
);

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
  const model = createModel(ahead);
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
