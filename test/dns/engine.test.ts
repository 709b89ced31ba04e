import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/core/ports.ts';
import { createDns } from '../../src/dns/index.ts';
import { apex, bringIn, createStage, never, until, untilReady, wish } from './stage.ts';

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

  test('a value that is wanted by another account with the same zone stays until that is done with it', async () => {
    const { front, memory, vendor, zones, log } = await createStage();
    const address = `${front.address}:${front.port}`;
    const accounts = ['one', 'two'].map((name) => ({
      name,
      provider: vendor.provider,
      zones: ['example.test'],
      nameservers: [address],
    }));
    const dns = createDns({ accounts, resolvers: [address] }, { ...memory, clock: systemClock, log });
    const [mine, theirs] = await Promise.all(
      ['one', 'two'].map((account) =>
        bringIn(dns, [wish('example.test', 'shared', { account, lineage: `${account}/a/ec` })]),
      ),
    );

    await dns.cleanUp(mine ?? [], never);
    await dns.recover(never);
    expect(zones.txt(apex)).toEqual(['shared']);
    await dns.cleanUp(theirs ?? [], never);
    await dns.recover(never);
    expect(zones.txt(apex)).toEqual([]);
    await dns.recover(never);
    expect(await memory.journal.all()).toEqual([]);
    await dns.close();
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

/** Stretches or shrinks the short timers, so that what must happen before or after them does so on a busy machine too. */
function shortTimersTimes(factor: number): Clock {
  const after: Clock['after'] = (ms, run) => systemClock.after(ms <= 100 ? ms * factor : ms, run);
  return { ...systemClock, after };
}
