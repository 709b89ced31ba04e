import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { Dns } from '../../src/dns/index.ts';
import { createStage, errorOf, never, until, untilReady, wish } from './stage.ts';

const apex = '_acme-challenge.example.test';

async function bringIn(dns: Dns, wishes: Parameters<Dns['present']>[0]): Promise<readonly string[]> {
  const ids = await dns.present(wishes, never);
  await untilReady(dns, ids);
  return ids;
}

describe('sharing calls', () => {
  test('twenty orders of apex and wildcard at once need a handful of calls, and nothing stays behind', async () => {
    const { agent, vendor, zones, memory } = await createStage({ latencyMs: 30 });
    const dns = agent();
    const names = Array.from({ length: 20 }, (_, index) => `d${index}.example.test`);

    const ids = await Promise.all(
      names.map((name) => bringIn(dns, [wish(name, 'for-apex'), wish(name, 'for-wildcard')])),
    );

    expect(vendor.calls.length).toBeLessThanOrEqual(3);
    for (const name of names)
      expect(zones.txt(`_acme-challenge.${name}`)).toEqual(['for-apex', 'for-wildcard']);
    const before = vendor.calls.length;
    await dns.cleanUp(ids.flat(), never);
    await until(async () => (await memory.journal.all()).length === 0);
    expect(vendor.calls.length - before).toBeLessThanOrEqual(2);
    for (const name of names) expect(zones.txt(`_acme-challenge.${name}`)).toEqual([]);
  });

  test('what comes a moment later joins the call that is about to go', async () => {
    const { agent, vendor } = await createStage();
    const dns = agent({ clock: shortTimersTimes(20) });
    const first = await dns.present([wish('one.example.test', 'value')], never);
    const second = await dns.present([wish('two.example.test', 'value')], never);
    await untilReady(dns, [...first, ...second]);

    expect(vendor.calls).toHaveLength(1);
  });

  test('removals are in no hurry and ride along with the next additions', async () => {
    const { agent, vendor, zones } = await createStage();
    const dns = agent();
    const ids = await bringIn(dns, [wish('example.test', 'old')]);
    await dns.cleanUp(ids, never);
    // Long enough for a removal in a hurry.
    await pause(300);
    await bringIn(dns, [wish('example.test', 'new')]);

    expect(vendor.calls.map((changes) => changes.map(({ op }) => op))).toEqual([['add'], ['remove', 'add']]);
    expect(zones.txt(apex)).toEqual(['new']);
  });

  test('removals that nothing follows go by themselves', async () => {
    const { agent, memory, zones } = await createStage();
    const dns = agent();
    await dns.cleanUp(await bringIn(dns, [wish('example.test', 'old')]), never);
    expect(zones.txt(apex)).toEqual(['old']);
    await until(async () => (await memory.journal.all()).length === 0);
    expect(zones.txt(apex)).toEqual([]);
  });

  test('a call never has more changes, or more cost, than the vendor takes', async () => {
    const costOf = () => 30;
    const batch = { maxChanges: 7, maxCost: 100, costOf, atomic: true };
    const { agent, vendor } = await createStage({ traits: { batch } });
    const wishes = Array.from({ length: 10 }, (_, index) => wish(`h${index}.example.test`, 'value'));

    await bringIn(agent(), wishes);

    expect(vendor.calls.map((changes) => changes.length)).toEqual([3, 3, 3, 1]);
  });

  test('the same wish twice keeps its id and makes one record', async () => {
    const { agent, zones } = await createStage();
    const dns = agent();
    const [first] = await dns.present([wish('example.test', 'value')], never);
    const [second] = await dns.present([wish('example.test', 'value')], never);
    await untilReady(dns, [first ?? '']);

    expect(second).toBe(first);
    expect(zones.txt(apex)).toEqual(['value']);
  });

  test('an order that ends before its flight leaves nothing at the vendor', async () => {
    const { agent, memory, vendor, zones } = await createStage();
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'value')], never);
    await dns.cleanUp(ids, never);
    await until(async () => (await memory.journal.all()).length === 0);

    expect(vendor.calls.flat().filter(({ op }) => op === 'add')).toEqual([]);
    expect(zones.txt(apex)).toEqual([]);
  });
});

describe('several agents', () => {
  test('an order that another agent cleaned up before the flight is not brought in', async () => {
    const { agent, memory, vendor } = await createStage();
    const presenting = agent({ clock: shortTimersTimes(20) });
    const ids = await presenting.present([wish('example.test', 'value')], never);
    await agent().cleanUp(ids, never);
    await presenting.close();

    expect(vendor.calls.flat().filter(({ op }) => op === 'add')).toEqual([]);
    await until(async () => (await memory.journal.all()).length === 0);
  });

  test('two agents on one zone whose API replaces whole sets lose nothing and make one call at a time', async () => {
    const { agent, vendor, zones } = await createStage({ latencyMs: 20 });
    const agents = [agent(), agent()];
    const values = Array.from({ length: 30 }, (_, index) => `value-${index}`);

    await Promise.all(
      values.map(async (value, index) => {
        const dns = agents[index % 2];
        if (dns !== undefined) await bringIn(dns, [wish('example.test', value)]);
      }),
    );

    expect([...zones.txt(apex)].sort()).toEqual([...values].sort());
    expect(vendor.atOnce()).toBe(1);
  });

  test('a value that two lineages share stays until the second one is done with it', async () => {
    const { agent, memory, zones } = await createStage();
    const [one, other] = [agent(), agent()];
    const mine = await bringIn(one, [wish('example.test', 'shared', { lineage: 'a/a/ec' })]);
    const theirs = await bringIn(other, [wish('example.test', 'shared', { lineage: 'b/b/ec' })]);

    await one.cleanUp(mine, never);
    await until(async () => (await memory.journal.all()).length === 1);
    expect(zones.txt(apex)).toEqual(['shared']);
    await other.cleanUp(theirs, never);
    await until(async () => (await memory.journal.all()).length === 0);
    expect(zones.txt(apex)).toEqual([]);
  });

  test('two lineages that are done with a shared value at once do not leave it to each other', async () => {
    const { agent, memory, zones } = await createStage();
    const dns = agent();
    const ids = await bringIn(dns, [
      wish('example.test', 'shared', { lineage: 'a/a/ec' }),
      wish('example.test', 'shared', { lineage: 'b/b/ec' }),
    ]);

    await dns.cleanUp(ids, never);
    await until(async () => (await memory.journal.all()).length === 0);

    expect(zones.txt(apex)).toEqual([]);
  });

  test('a shared value that both give up while it is brought in does not stay', async () => {
    const { agent, memory, vendor, zones } = await createStage();
    let release = () => {};
    vendor.afterChange = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const dns = agent();
    const ids = await dns.present(
      ['a/a/ec', 'b/b/ec'].map((lineage) => wish('example.test', 'shared', { lineage })),
      never,
    );
    await until(() => zones.txt(apex).length === 1);
    await dns.cleanUp(ids, never);
    vendor.afterChange = async () => {};
    release();
    await until(async () => (await memory.journal.all()).length === 0);

    expect(zones.txt(apex)).toEqual([]);
  });

  test('values that others wrote at the name survive', async () => {
    const foreign = { name: apex, type: 'TXT' as const, ttl: 60, values: ['of somebody else'] };
    const { agent, memory, zones } = await createStage({ zones: { 'example.test': [foreign] } });
    const dns = agent();
    const ids = await bringIn(dns, [wish('example.test', 'ours')]);
    expect(zones.txt(apex)).toEqual(['of somebody else', 'ours']);
    await dns.cleanUp(ids, never);
    await until(async () => (await memory.journal.all()).length === 0);

    expect(zones.txt(apex)).toEqual(['of somebody else']);
  });
});

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

/** Stretches or shrinks the short timers, so that what must happen before or after them does so on a busy machine too. */
function shortTimersTimes(factor: number): Clock {
  const after: Clock['after'] = (ms, run) => systemClock.after(ms <= 100 ? ms * factor : ms, run);
  return { ...systemClock, after };
}
