import { randomUUID } from 'node:crypto';
import { createBudget } from '../../src/acme/budget.ts';
import { systemClock } from '../../src/clock.ts';
import { type AgentError, toAgentError } from '../../src/core/errors.ts';
import type { Admission, Budget } from '../../src/core/ports.ts';
import type { Instant } from '../../src/core/types.ts';
import type { Store } from '../../src/store/index.ts';
import { createMemoryLog } from '../support/memory.ts';
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

/** Three workers, each with one order at a time, on one ledger and one CA, which nobody else knows. */
export interface Model {
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

export function createModel(stores: readonly Store[], ahead: readonly number[]): Model {
  const directoryUrl = `https://ca.test/${randomUUID()}`;
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

export async function begin(
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
export async function proceed(model: Model, worker: number, succeeds: boolean): Promise<void> {
  const order = model.underWay[worker];
  if (order === undefined) return;
  const { ca, now } = model;
  const budget = budgetOf(model, worker);
  const { admission } = order;
  if (order.isLost) {
    model.underWay[worker] = undefined;
    await budget.giveBack(order.admission.spent);
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
  await budget.giveBack(order.admission.spent);
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
  // Those under way the CA has yet to count, beyond what it said; then it is known only until they end.
  if (model.underWay.some((other) => other !== undefined)) return;
  const { perMs } = limits[bucket.split(' ')[0] as keyof typeof limits];
  if ((refusal.retryAt ?? 0) - model.now <= perMs) model.unknown.delete(bucket);
}

export type Lost = 'answer' | 'worker' | 'memory';

/** The next run of a worker knows only what was stored before the CA was asked; killed before that, nothing. */
export function lose(model: Model, worker: number, what: Lost): void {
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
export function useElsewhere(model: Model, order: Order): void {
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
export function close(model: Model, ms: number): void {
  model.ca.closeUntil(model.now + ms);
  model.unknown.add('closed');
}

/** Time passes; what must have happened by then happens. */
export async function pass(model: Model, ms: number, succeeds: boolean): Promise<void> {
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

export function budgetOf(model: Model, worker: number): Budget {
  const budget = model.budgets[worker];
  if (budget === undefined) throw new Error(`no worker ${worker}`);
  return budget;
}
