import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { PluginState } from '../../src/core/plugin.ts';
import { createSlots } from '../../src/core/slots.ts';
import { createLimits } from '../../src/dns/limits.ts';
import { createThrottle } from '../../src/dns/throttle.ts';
import { createVendor } from '../../src/dns/vendor.ts';
import { createVirtualClock } from '../core/virtual-clock.ts';
import { createMemoryLog, createMemoryStore } from '../support/memory.ts';
import { apex, bringIn, createStage, errorOf, never, untilReady, wish } from './stage.ts';

const log = createMemoryLog();

function createScene(memory: PluginState = createMemoryStore().pluginState('dns engine')) {
  const clock = createVirtualClock(1_800_000_000_000);
  return { clock, memory, throttle: createThrottle({ memory, clock, log }) };
}

describe('what a vendor can bear', () => {
  test('is all of its declared rates until it complains, then half, then a quarter', async () => {
    const { clock, throttle } = createScene();
    expect(await throttle.share('main')).toBe(1);
    await throttle.tighten('main');
    expect(await throttle.share('main')).toBe(0.5);
    clock.moveTo(clock.now() + 2000);
    await throttle.tighten('main');
    expect(await throttle.share('main')).toBeCloseTo(0.25, 1);
    expect(await throttle.share('other')).toBe(1);
  });

  test('is not halved for each of the calls that were refused together', async () => {
    const { clock, throttle } = createScene();
    await Promise.all([1, 2, 3].map(() => throttle.tighten('main')));
    clock.moveTo(clock.now() + 300);
    await throttle.tighten('main');
    expect(await throttle.share('main')).toBeCloseTo(0.5, 2);
  });

  test('doubles every minute without a complaint, up to all', async () => {
    const { clock, throttle } = createScene();
    await throttle.tighten('main');
    clock.moveTo(clock.now() + 30_000);
    const between = await throttle.share('main');
    expect(between).toBeGreaterThan(0.6);
    expect(between).toBeLessThan(0.8);
    clock.moveTo(clock.now() + 31_000);
    expect(await throttle.share('main')).toBe(1);
  });

  test('never becomes nothing', async () => {
    const { clock, throttle } = createScene();
    for (let complaint = 0; complaint < 20; complaint++) {
      await throttle.tighten('main');
      clock.moveTo(clock.now() + 1500);
    }
    expect(await throttle.share('main')).toBeGreaterThanOrEqual(1 / 64);
  });

  test('is heard of by other agents within seconds', async () => {
    const one = createScene();
    const other = { clock: one.clock, memory: one.memory, throttle: createThrottle({ ...one, log }) };
    expect(await other.throttle.share('main')).toBe(1);
    await one.throttle.tighten('main');
    one.clock.moveTo(one.clock.now() + 5001);
    expect(await other.throttle.share('main')).toBeLessThan(0.6);
  });

  test.each(['{"share":', '{"share":7,"at":1}', '{"share":0,"at":1}', '[]', '{"share":0.5,"at":9e15}'])(
    'is all where %s was kept',
    async (text) => {
      const { throttle } = createScene({ get: async () => text, set: async () => {} });
      expect(await throttle.share('main')).toBe(1);
    },
  );

  test('does not depend on a store that is away', async () => {
    const away = () => Promise.reject(new Error('away'));
    const { throttle } = createScene({ get: away, set: away });
    expect(await throttle.share('main')).toBe(1);
    await throttle.tighten('main');
    expect(await throttle.share('main')).toBe(0.5);
  });
});

describe('limits after a complaint', () => {
  const rate = [{ bucket: 'account', perSecond: 10, burst: 20, costOf: 'call' as const }];

  function createSceneOfLimits() {
    const { clock, throttle } = createScene();
    const limits = createLimits({ ...createMemoryStore(), throttle, clock });
    const call = { account: 'main', changes: 1, rate };
    const admitted = async () => {
      let count = 0;
      while ((await limits.tryAdmit(call)) === true) count++;
      return count;
    };
    return { clock, limits, call, admitted };
  }

  test('let nobody call before the vendor said, and then half as often', async () => {
    const { clock, limits, call, admitted } = createSceneOfLimits();
    expect(await admitted()).toBe(20);
    await limits.refused(call, clock.now() + 3000);
    clock.moveTo(clock.now() + 2900);
    expect(await admitted()).toBe(0);
    clock.moveTo(clock.now() + 200);
    expect([1, 2]).toContain(await admitted());
    clock.moveTo(clock.now() + 1000);
    expect([5, 6]).toContain(await admitted());
  });

  test.each([[rate], [[]]])(
    'let nobody call before the vendor said, however long ago that was (%j)',
    async (own) => {
      const { clock, limits, call } = createSceneOfLimits();
      const until = clock.now() + 3_600_000;
      await limits.refused({ ...call, rate: own }, until);
      for (let minute = 0; minute < 60; minute++) {
        const answer = await limits.tryAdmit({ ...call, rate: own });
        expect(answer === true ? 0 : answer.readyAt).toBeGreaterThanOrEqual(until);
        clock.moveTo(clock.now() + 59_900);
      }
      clock.moveTo(until + 1);
      expect(await limits.tryAdmit({ ...call, rate: own })).toBe(true);
    },
  );

  test('are there for a vendor that declared none', async () => {
    const { clock, limits, call } = createSceneOfLimits();
    const bare = { ...call, rate: [] };
    for (let count = 0; count < 50; count++) expect(await limits.tryAdmit(bare)).toBe(true);
    await limits.refused(bare, clock.now() + 1000);
    expect(await limits.tryAdmit(bare)).not.toBe(true);
    clock.moveTo(clock.now() + 1001);
    expect(await limits.tryAdmit(bare)).toBe(true);
  });

  test('are told, not waited for, where they last longer than a minute', async () => {
    const { clock, limits, call } = createSceneOfLimits();
    await limits.refused(call, clock.now() + 90_000);
    const error = await errorOf(limits.admit(call, clock.now() + 60_000, never));
    expect(error).toMatchObject({ code: 'provider.throttled', retryAt: expect.any(Number) });
    expect(error).toBeInstanceOf(AgentError);
  });
});

test('all zones of an account wait when the vendor complains about one of them', async () => {
  const { agent, vendor, zones } = await createStage({ zones: { 'one.test': [], 'two.test': [] } });
  const dns = agent();
  const retryAt = Date.now() + 1500;
  vendor.faults.push(new AgentError('provider.throttled', 'too many requests', { retryAt }));
  await dns.present([wish('one.test', 'value')], never);
  while (vendor.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await bringIn(dns, [wish('two.test', 'value')]);
  expect(Date.now()).toBeGreaterThanOrEqual(retryAt);
  expect(zones.txt('_acme-challenge.two.test')).toEqual(['value']);
});

test('an order whose vendor wants to be left alone for minutes comes back by then, and does not fail', async () => {
  const { agent, vendor } = await createStage();
  const retryAt = Date.now() + 300_000;
  vendor.faults.push(new AgentError('provider.throttled', 'too many requests', { retryAt }));
  const dns = agent();
  const [id = ''] = await dns.present([wish('example.test', 'value')], never);
  expect(await dns.ready(id, never)).toEqual({ checkAgainAt: retryAt });
});

test('one that wants to be left alone beyond the lease fails the order, with the instant', async () => {
  const { agent, vendor } = await createStage();
  const retryAt = Date.now() + 7_200_000;
  vendor.faults.push(new AgentError('provider.throttled', 'too many requests', { retryAt }));
  const dns = agent();
  const ids = await dns.present([wish('example.test', 'value')], never);
  expect(await errorOf(untilReady(dns, ids))).toMatchObject({ code: 'provider.throttled', retryAt });
});

describe('calls of one account at once', () => {
  test('are so many and no more; each that ends lets the next one in, in the order they came', async () => {
    const slots = createSlots(2);
    const order: string[] = [];
    const enter = async (name: string) => {
      const leave = await slots.take('main', never);
      order.push(name);
      return leave;
    };
    const [a, b] = await Promise.all([enter('a'), enter('b')]);
    const waiting = [enter('c'), enter('d')];
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['a', 'b']);
    await (await slots.take('other', never))();
    a();
    a();
    await waiting[0];
    expect(order).toEqual(['a', 'b', 'c']);
    b();
    await waiting[1];
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  test('do not wait behind one that has given up', async () => {
    const slots = createSlots(1);
    const leave = await slots.take('main', never);
    const patience = new AbortController();
    const gaveUp = errorOf(slots.take('main', patience.signal));
    const next = slots.take('main', never);
    leave();
    patience.abort(new Error('enough'));
    expect(await gaveUp).toBeDefined();
    (await next)();
  });
});

test('calls, their size and their waits are counted by account', async () => {
  const { agent, memory, vendor } = await createStage();
  vendor.faults.push(new AgentError('provider.conflict', 'changed meanwhile'));
  const dns = agent();
  await bringIn(dns, [wish('example.test', 'one'), wish('example.test', 'two')]);
  const text = await memory.metrics.text();
  expect(text).toContain('dns_calls_total{account="main",call="apply",outcome="ok"} 1');
  expect(text).toContain('dns_calls_total{account="main",call="apply",outcome="provider.conflict"} 1');
  expect(text).toContain('dns_call_changes_sum{account="main"} 2');
  expect(text).toContain('dns_wait_seconds_count{account="main",for="accepted"} 2');
  expect(text).toContain('dns_wait_seconds_count{account="main",for="live"} 2');
  // Names are those of tenants.
  expect(text).not.toContain(apex);
});

test('whoever has to wait hears what the vendor said, as long as no call went well', async () => {
  const { agent, vendor } = await createStage();
  const retryAt = Date.now() + 7_200_000;
  vendor.faults.push(new AgentError('provider.throttled', 'come back in two hours', { retryAt }));
  const dns = agent();
  for (const name of ['one', 'two']) {
    const ids = await dns.present([wish(`${name}.example.test`, 'value')], never);
    const error = await errorOf(untilReady(dns, ids));
    expect(error).toMatchObject({ code: 'provider.throttled', message: 'come back in two hours' });
    expect((error as AgentError).retryAt).toBeGreaterThanOrEqual(retryAt);
  }
  expect(vendor.calls).toHaveLength(1);
});

test('what the vendor said before a call went well is told nobody any more', async () => {
  let isFull = false;
  const usedUp = new AgentError('provider.throttled', 'the limits are used up', {
    retryAt: Date.now() + 1e6,
  });
  const admit = async () => {
    if (isFull) throw usedUp;
  };
  const limits = { admit, tryAdmit: async () => true as const, refused: async () => {} };
  const { metrics } = createMemoryStore();
  const vendor = createVendor({ limits, metrics, clock: systemClock, log });
  const faults = [new AgentError('provider.throttled', 'it is too much', { retryAt: Date.now() })];
  const call = () =>
    vendor.call(
      { account: 'main', changes: 1, rate: [], for: 'apply' },
      async () => {
        const fault = faults.shift();
        if (fault !== undefined) throw fault;
      },
      never,
    );
  await call();
  isFull = true;
  expect(await errorOf(call())).toBe(usedUp);
});
