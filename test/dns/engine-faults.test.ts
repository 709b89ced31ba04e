import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Clock, Journal, Locks } from '../../src/core/ports.ts';
import { apex, bringIn, createStage, errorOf, never, type Stage, until, untilReady, wish } from './stage.ts';

describe('faults of the vendor', () => {
  test('one bad name in a batch of twenty fails alone', async () => {
    const { agent, vendor, zones } = await createStage();
    vendor.refused = 'bad';
    const dns = agent();
    const names = [...Array.from({ length: 19 }, (_, index) => `h${index}`), 'bad'];
    const ids = await dns.present(
      names.map((name) => wish(`${name}.example.test`, 'value')),
      never,
    );

    const good = ids.slice(0, -1);
    await untilReady(dns, good);
    const error = await errorOf(untilReady(dns, ids.slice(-1)));

    expect(error).toMatchObject({ code: 'provider.invalid' });
    expect(vendor.calls.length).toBeLessThanOrEqual(11);
    expect(zones.txt('_acme-challenge.h7.example.test')).toEqual(['value']);
  });

  test('wrong credentials cost one call, however many changes wait', async () => {
    const { agent, vendor } = await createStage({ traits: { batch: { maxChanges: 2, atomic: true } } });
    vendor.faults.push(new AgentError('provider.auth', 'the token is not valid'));
    const dns = agent();
    const ids = await dns.present(
      Array.from({ length: 9 }, (_, index) => wish(`h${index}.example.test`, 'value')),
      never,
    );

    for (const id of ids)
      expect(await errorOf(dns.ready(id, never))).toMatchObject({ code: 'provider.auth' });
    expect(vendor.calls).toHaveLength(1);
  });

  test('after a failure that was told, asking again tries again', async () => {
    const { agent, vendor, zones } = await createStage();
    vendor.faults.push(new AgentError('provider.unavailable', 'the vendor is down'));
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'value')], never);

    expect(await errorOf(untilReady(dns, ids))).toMatchObject({ code: 'provider.unavailable' });
    await untilReady(dns, ids);
    expect(zones.txt(apex)).toEqual(['value']);
  });

  test('a throttled call is made again when the vendor allows it', async () => {
    const { agent, vendor } = await createStage();
    const retryAt = Date.now() + 700;
    vendor.faults.push(new AgentError('provider.throttled', 'too many requests', { retryAt }));

    await bringIn(agent(), [wish('example.test', 'value')]);

    expect(Date.now()).toBeGreaterThanOrEqual(retryAt);
    expect(vendor.calls).toHaveLength(2);
  });

  test('a provider that neither ends nor heeds its signal holds the zone up for minutes, not for ever', async () => {
    const { agent, vendor, zones } = await createStage();
    vendor.afterChange = () => new Promise(() => {});
    const shorter = (ms: number) => (ms > 60_000 ? ms / 1000 : ms);
    const clock: Clock = { ...systemClock, after: (ms, run) => systemClock.after(shorter(ms), run) };
    const dns = agent({ clock });
    const ids = await dns.present([wish('example.test', 'one')], never);
    expect(await errorOf(untilReady(dns, ids))).toMatchObject({
      code: 'provider.unavailable',
      message: 'the call to DNS account main did not end within 130 s',
    });

    vendor.afterChange = async () => {};
    await bringIn(dns, [wish('example.test', 'two')]);
    expect(zones.txt(apex)).toContain('two');
  });

  test('a conflict with another writer is repeated', async () => {
    const { agent, vendor, zones } = await createStage();
    vendor.faults.push(new AgentError('provider.conflict', 'the set was changed by somebody else'));

    await bringIn(agent(), [wish('example.test', 'value')]);

    expect(zones.txt(apex)).toEqual(['value']);
  });

  test('a vendor that is down at clean-up fails nobody; the next recovery removes the record', async () => {
    const { agent, vendor, memory, zones, log } = await createStage();
    const dns = agent();
    const ids = await bringIn(dns, [wish('example.test', 'value')]);
    vendor.faults.push(new AgentError('provider.unavailable', 'the vendor is down'));
    await dns.cleanUp(ids, never);
    await until(() => log.lines.some((line) => line.includes('TXT record not removed')));
    expect(zones.txt(apex)).toEqual(['value']);

    expect(await dns.recover(never)).toMatchObject({ removed: 1, left: 0 });
    expect(zones.txt(apex)).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
  });
});

describe('the store', () => {
  const away = () => Promise.reject(new AgentError('store.unavailable', 'Redis is away'));

  /** The journal of the stage, which fails so many times to note what was done. */
  function faltering({ memory: { journal } }: Stage, times: number): Journal {
    let left = times;
    return { ...journal, update: (entries) => (left-- > 0 ? away() : journal.update(entries)) };
  }

  test('may be away for a moment: the flight is made again, and the order hears nothing of it', async () => {
    const stage = await createStage();
    await bringIn(stage.agent({ journal: faltering(stage, 2) }), [wish('example.test', 'value')]);
    expect(stage.zones.txt(apex)).toEqual(['value']);
    expect(stage.vendor.calls).toHaveLength(3);
  });

  test('that stays away is told after four flights', async () => {
    const stage = await createStage();
    const dns = stage.agent({ journal: faltering(stage, 100) });
    const ids = await dns.present([wish('example.test', 'value')], never);
    expect(await errorOf(untilReady(dns, ids))).toMatchObject({ code: 'store.unavailable' });
    expect(stage.vendor.calls).toHaveLength(4);
  });

  test('that gives the lock of the zone to somebody else interrupts the flight, which is made again', async () => {
    const stage = await createStage();
    const { locks } = stage.memory;
    const lost = new AbortController();
    let given = 0;
    const acquire: Locks['acquire'] = async (...request) => {
      const lock = await locks.acquire(...request);
      return given++ === 0 ? { ...lock, signal: lost.signal } : lock;
    };
    stage.vendor.afterChange = async () => {
      if (lost.signal.aborted) return;
      lost.abort(new Error('the lock was lost'));
      throw new Error('interrupted');
    };
    await bringIn(stage.agent({ locks: { ...locks, acquire } }), [wish('example.test', 'value')]);
    expect(stage.vendor.calls).toHaveLength(2);
    expect(stage.zones.txt(apex)).toEqual(['value']);
  });

  test('that gives no lock before the agent stops: those who wait hear that it stops', async () => {
    const stage = await createStage();
    const lock = await stage.memory.locks.acquire('dns/main/example.test', 30_000, never);
    const after: Clock['after'] = (ms, run) => systemClock.after(ms === 10_000 ? 300 : ms, run);
    const dns = stage.agent({ clock: { ...systemClock, after } });
    const ids = await dns.present([wish('example.test', 'value')], never);
    const outcome = errorOf(untilReady(dns, ids));
    await dns.close();
    await lock.release();
    expect(await outcome).toMatchObject({
      code: 'provider.unavailable',
      message: 'the agent stops; the zone example.test was not changed',
    });
    expect(stage.vendor.calls).toEqual([]);
  });
});

describe('limits of the vendor', () => {
  test('all agents together keep to the rate of calls', async () => {
    const rate = [{ bucket: 'account', perSecond: 5, burst: 2, costOf: 'call' as const }];
    const { agent, vendor } = await createStage({ traits: { rate, batch: { maxChanges: 1, atomic: true } } });
    const began = Date.now();
    await Promise.all(
      [agent(), agent()].map((dns, index) =>
        bringIn(
          dns,
          [1, 2, 3].map((host) => wish(`h${host}-${index}.example.test`, 'value')),
        ),
      ),
    );

    expect(vendor.calls).toHaveLength(6);
    // Two at once, then one each 200 ms.
    expect(Date.now() - began).toBeGreaterThanOrEqual(750);
  });

  test('a name with room for one value gets the second when the first has gone', async () => {
    const { agent, vendor, zones } = await createStage({ traits: { maxValuesPerName: 1 } });
    const dns = agent();
    const [first = ''] = await bringIn(dns, [wish('example.test', 'one')]);
    const [second = ''] = await dns.present([wish('example.test', 'two')], never);

    expect(await dns.ready(second, never)).not.toBe(true);
    expect(zones.txt(apex)).toEqual(['one']);
    await dns.cleanUp([first], never);
    await untilReady(dns, [second]);

    expect(zones.txt(apex)).toEqual(['two']);
    expect(vendor.calls.at(-1)?.map(({ op }) => op)).toEqual(['remove', 'add']);
  });

  test('where a removal takes its neighbours along, it waits until they are done', async () => {
    const { agent, memory, vendor, zones } = await createStage({ traits: { removeIsExact: false } });
    const dns = agent();
    const [one = ''] = await bringIn(dns, [wish('example.test', 'one')]);
    const [two = ''] = await bringIn(dns, [wish('example.test', 'two')]);
    await dns.cleanUp([one], never);
    await dns.recover(never);
    expect(vendor.calls.flat().filter(({ op }) => op === 'remove')).toEqual([]);
    await dns.cleanUp([two], never);
    await dns.recover(never);

    expect(zones.txt(apex)).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
  });
});
