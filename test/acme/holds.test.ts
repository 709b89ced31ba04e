import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBudget } from '../../src/acme/budget.ts';
import { limitsOf } from '../../src/acme/limits.ts';
import { systemClock } from '../../src/clock.ts';
import { presets } from '../../src/config/presets.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Budget, OrderIntent } from '../../src/core/ports.ts';
import { createMemoryLog } from '../support/memory.ts';
import { startStore, type TestStore } from '../support/store.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.UTC(2026, 10, 20);

let held: TestStore;
let now: number;
let budget: Budget;

beforeAll(async () => {
  held = await startStore();
});
afterAll(() => held?.stop());
beforeEach(({ task }) => {
  now = start;
  const { directoryUrl } = presets.letsencrypt;
  const limits = limitsOf(directoryUrl, undefined);
  // A CA of its own for each test.
  const at = (url: string) => `${url}?${task.id}`;
  budget = createBudget(
    [
      { name: 'le', directoryUrl: at(directoryUrl), limits },
      { name: 'other', directoryUrl: at(directoryUrl), limits },
      { name: 'unknown', directoryUrl: at('https://ca.example/directory'), limits: {} },
    ],
    { buckets: held.store.buckets, clock: { ...systemClock, now: () => now }, log: createMemoryLog() },
  );
});

function order(change: Partial<OrderIntent> = {}): OrderIntent {
  return { issuer: 'le', names: ['www.example.com'], isAdvised: false, urgent: false, ...change };
}

describe('a CA that asked to be left alone', () => {
  const asked = { ...order(), isUnderWay: false };
  const busy = (status: number, detail = 'Service busy; retry later.') => {
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    const facts = { status, problem };
    return new AgentError('acme.rateLimited', detail, { retryAt: start + 3 * hour, facts });
  };
  const waits = { admitted: false, readyAt: start + 3 * hour, limit: 'it asked us to wait with new orders' };

  it('gets no order until then, exempt or not; others of its accounts and other CAs do', async () => {
    await budget.learn(asked, busy(429));
    const others = order({ names: ['shop.example.org'], lastIssuedAt: start - day });
    for (const intent of [order(), others, order({ isAdvised: true })])
      expect(await budget.admit(intent)).toEqual(waits);
    for (const issuer of ['other', 'unknown'])
      expect(await budget.admit(order({ issuer }))).toMatchObject({ admitted: true });
    expect(await budget.foresee([order()])).toEqual([{ readyAt: waits.readyAt, limit: waits.limit }]);
    now += 3 * hour;
    expect(await budget.admit(order())).toMatchObject({ admitted: true, isProbe: false });
  });

  it('gets an urgent one once a day, and all others again once it has taken that', async () => {
    await budget.learn(asked, busy(429));
    expect(await budget.admit(order({ urgent: true }))).toMatchObject({ admitted: true, isProbe: true });
    now += 2 * hour;
    expect(await budget.admit(order({ urgent: true }))).toMatchObject({ admitted: false });
    await budget.endHolds('le', ['www.example.com']);
    expect(await budget.admit(order())).toMatchObject({ admitted: true, isProbe: false });
  });

  it.each([
    ['429 to a new order', 429, false, 'orders', true],
    ['429 about an order under way', 429, true, 'requests', false],
    ['503', 503, false, 'requests', false],
  ] as const)('by %s is left alone with %s', async (_, status, isUnderWay, name, goesOn) => {
    await budget.learn({ ...asked, issuer: 'unknown', isUnderWay }, busy(status));
    const level = { name, about: undefined, left: 0, readyAt: start + 3 * hour };
    expect(await budget.hold('unknown', false)).toEqual(level);
    expect(await budget.hold('unknown', true)).toEqual(goesOn ? undefined : level);
    expect(await budget.levels('unknown', [['www.example.com']])).toEqual([level]);
    expect(await budget.hold('le', false)).toBeUndefined();
  });

  it.each([
    ['too many failed authorizations (5) for "www.example.com"', ['www.example.com', 'a.example.org']],
    ['too many certificates (50) already issued for "example.com"', ['shop.example.com']],
    ['too many certificates (5) already issued for this exact set of identifiers', ['www.example.com']],
  ])('with what it names alone where we know no such limit of it: %s', async (detail, names) => {
    const unknown = { issuer: 'unknown' };
    await budget.learn({ ...asked, ...unknown }, busy(429, detail));
    expect(await budget.admit(order({ ...unknown, names }))).toMatchObject({ readyAt: start + 3 * hour });
    expect(await budget.admit(order({ ...unknown, names: ['a.example.org'] }))).toMatchObject({
      admitted: true,
    });
    expect(await budget.hold('unknown', false)).toBeUndefined();
  });

  it('also with the orders that we took to be exempt, once it refused one of them, and else not', async () => {
    const renewal = order({ lastIssuedAt: start - 60 * day });
    const detail = 'too many new orders (300) from this account in the last 3h0m0s';
    await budget.learn(asked, busy(429, detail));
    expect(await budget.admit(order())).toMatchObject({ admitted: false });
    const admission = await budget.admit(renewal);
    expect(admission).toMatchObject({
      admitted: true,
      exempt: ['ordersPerAccount', 'certificatesPerDomain'],
    });
    const exempt = admission.admitted ? admission.exempt : [];
    await budget.learn({ ...asked, exempt }, busy(429, detail));
    expect(await budget.admit(renewal)).toEqual(waits);
    now += 3 * hour;
    expect(await budget.admit(renewal)).toMatchObject({ admitted: true, isProbe: false });
  });

  it('is believed for seven days', async () => {
    const error = busy(429);
    const far = new AgentError(error.code, 'busy', { retryAt: start + 400 * day, facts: error.facts });
    await budget.learn(asked, far);
    expect(await budget.hold('le', false)).toMatchObject({ readyAt: start + 7 * day });
  });
});
