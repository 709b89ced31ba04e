import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { JournalEntry } from '../../src/core/ports.ts';
import { apex, createStage, errorOf, never, until, untilReady, wish } from './stage.ts';

function entry(more: Partial<JournalEntry>): JournalEntry {
  return {
    id: 'left-over',
    account: 'main',
    zone: 'example.test',
    name: apex,
    value: 'ours',
    state: 'intent',
    lineage: 'example.test/example.test/ec',
    createdAt: Date.now() - 3_600_000,
    leaseUntil: Date.now() - 1000,
    ...more,
  };
}

describe('an agent that dies', () => {
  test('between intent and call: another agent goes on with the id, and the record gets there', async () => {
    const { agent, memory, zones } = await createStage();
    await memory.journal.intend([entry({ leaseUntil: Date.now() + 600_000, createdAt: Date.now() })]);

    await untilReady(agent(), ['left-over']);

    expect(zones.txt(apex)).toEqual(['ours']);
  });

  test('between call and answer: recovery removes the value by its exact name, and no other', async () => {
    const foreign = { name: apex, type: 'TXT' as const, ttl: 60, values: ['of somebody else', 'ours'] };
    const { agent, memory, zones } = await createStage({ zones: { 'example.test': [foreign] } });
    await memory.journal.intend([entry({ state: 'intent' })]);

    expect(await agent().recover(never)).toEqual({ removed: 1, left: 0 });

    expect(zones.txt(apex)).toEqual(['of somebody else']);
    expect(await memory.journal.all()).toEqual([]);
  });

  test('between the mark and the removal: recovery does not wait for the lease', async () => {
    const { agent, memory, zones } = await createStage();
    const first = agent();
    const ids = await first.present([wish('example.test', 'ours')], never);
    await untilReady(first, ids);
    const [left] = await memory.journal.all();
    if (left !== undefined) await memory.journal.update([{ ...left, state: 'removing' }]);

    expect(await agent().recover(never)).toMatchObject({ removed: 1 });
    expect(zones.txt(apex)).toEqual([]);
  });

  test('while its call hangs: the intent was in the journal before the vendor was called', async () => {
    const { agent, memory, vendor } = await createStage();
    const seen: string[] = [];
    vendor.afterChange = async () => {
      seen.push(...(await memory.journal.all()).map(({ state, value }) => `${state} ${value}`));
    };
    const dns = agent();
    await untilReady(dns, await dns.present([wish('example.test', 'ours')], never));

    expect(seen).toEqual(['intent ours']);
  });
});

describe('recovery', () => {
  test('leaves running leases alone', async () => {
    const { agent, memory, vendor } = await createStage();
    const leaseUntil = Date.now() + 600_000;
    await memory.journal.intend([entry({ state: 'added', leaseUntil })]);

    expect(await agent().recover(never)).toEqual({ removed: 0, left: 0 });
    expect(vendor.calls).toEqual([]);
  });

  test('keeps a value that a running order shares with the left-over', async () => {
    const { agent, memory, zones } = await createStage();
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'ours')], never);
    await untilReady(dns, ids);
    await memory.journal.intend([entry({ state: 'added' })]);

    expect(await dns.recover(never)).toMatchObject({ removed: 1 });
    expect(zones.txt(apex)).toEqual(['ours']);
    expect((await memory.journal.all()).map(({ id }) => id)).toEqual(ids);
  });

  test('removes many in few calls, and may run twice at once', async () => {
    const { agent, vendor, zones } = await createStage();
    const dns = agent();
    const wishes = Array.from({ length: 50 }, (_, index) =>
      wish(`h${index}.example.test`, 'ours', { leaseUntil: Date.now() + 600_000 }),
    );
    await untilReady(dns, await dns.present(wishes, never));
    const before = vendor.calls.length;
    const later = { ...systemClock, now: () => Date.now() + 700_000 };

    await Promise.all([agent({ clock: later }).recover(never), agent({ clock: later }).recover(never)]);

    expect(vendor.calls.length - before).toBeLessThanOrEqual(2);
    expect(zones.held('example.test').filter(({ type }) => type === 'TXT')).toEqual([]);
  });

  test('an entry of an account that is no longer configured stays, and is told', async () => {
    const { agent, memory, log } = await createStage();
    await memory.journal.intend([entry({ account: 'gone' })]);

    expect(await agent().recover(never)).toMatchObject({ removed: 0, left: 1 });
    expect(log.lines.join()).toContain('there is no DNS account');
    expect(await memory.journal.all()).toHaveLength(1);
  });

  test('an entry that nobody can reach for a month is forgotten, and told with its value', async () => {
    const { agent, memory, log } = await createStage();
    const month = 30 * 86_400_000;
    await memory.journal.intend([
      entry({ account: 'gone', leaseUntil: Date.now() - month - 1000 }),
      entry({ id: 'younger', account: 'gone', leaseUntil: Date.now() - month + 60_000 }),
    ]);

    await agent().recover(never);
    expect((await memory.journal.all()).map(({ id }) => id)).toEqual(['younger']);
    expect(log.lines.filter((line) => line.includes('TXT record forgotten'))).toHaveLength(1);
  });

  test('what was removed is never ready again', async () => {
    const { agent, memory } = await createStage();
    await memory.journal.intend([entry({})]);
    const dns = agent();
    await dns.recover(never);

    expect(await errorOf(dns.ready('left-over', never))).toMatchObject({ code: 'dns.propagation' });
  });
});

describe('closing', () => {
  test('sends off the removals that still linger', async () => {
    const { agent, memory, zones } = await createStage();
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'ours')], never);
    await untilReady(dns, ids);
    await dns.cleanUp(ids, never);
    await dns.close();

    expect(zones.txt(apex)).toEqual([]);
    expect(await memory.journal.all()).toEqual([]);
  });

  test('a caller that gives up is let go at once, and its clean-up still works', async () => {
    const { agent, memory, vendor, zones } = await createStage();
    let release = () => {};
    vendor.afterChange = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const dns = agent();
    const ids = await dns.present([wish('example.test', 'ours')], never);
    const caller = new AbortController();
    const waiting = errorOf(untilReadyWith(dns.ready, ids[0] ?? '', caller.signal));
    await until(() => zones.txt(apex).length === 1);
    caller.abort(new Error('the job is over'));
    expect(await waiting).toEqual(new Error('the job is over'));
    release();
    vendor.afterChange = async () => {};
    await dns.cleanUp(ids, never);
    await until(async () => (await memory.journal.all()).length === 0);
    expect(zones.txt(apex)).toEqual([]);
  });
});

async function untilReadyWith(
  ready: (id: string, signal: AbortSignal) => Promise<unknown>,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  while ((await ready(id, signal)) !== true) signal.throwIfAborted();
}
