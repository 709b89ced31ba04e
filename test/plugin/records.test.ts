import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { ProviderTraits, TxtChange, ZoneRef } from '../../src/core/provider.ts';
import {
  createRecordBatches,
  createRecords,
  type HeldRecord,
  listEachName,
} from '../../src/plugin/records.ts';
import { createSets, type SetChange, type TxtSet } from '../../src/plugin/sets.ts';
import { createWorld } from '../support/vendors/world.ts';

const signal = new AbortController().signal;
const zone = { name: 'example.test' };
const traits: ProviderTraits = {
  model: 'records',
  serialize: 'none',
  batch: { maxChanges: 100, atomic: false },
  maxValuesPerName: Number.POSITIVE_INFINITY,
  removeIsExact: true,
  rate: [],
  ttl: { min: 1, preferred: 1 },
  propagation: { signal: 'authoritative', typicalMs: 0, timeoutMs: 1000 },
};

const add = (value: string, name = 'a.example.test'): TxtChange => ({ op: 'add', name, value, ttl: 60 });
const remove = (value: string, more: Partial<TxtChange> = {}): TxtChange => ({
  ...add(value),
  op: 'remove',
  ...more,
});

describe('changes made record by record', () => {
  it('make no second copy of what the zone has, whether the vendor would or not', async () => {
    const vendor = recordVendor();
    await vendor.records.apply(zone, [add('there')], signal);
    const { outcomes } = await vendor.records.apply(zone, [add('there'), add('new')], signal);
    expect(vendor.txt()).toEqual(['there', 'new']);
    expect(outcomes.map((outcome) => outcome.ok && outcome.handle)).toEqual(
      (await vendor.records.listTxt(zone, undefined, signal)).map(({ handle }) => handle),
    );
  });

  it('read nothing where the vendor refuses copies, or the id is known', async () => {
    const vendor = recordVendor({ refusesCopies: true });
    const { outcomes } = await vendor.records.apply(zone, [add('one'), add('two')], signal);
    const [first] = outcomes;
    const handle = first?.ok === true ? first.handle : undefined;
    await vendor.records.apply(zone, [remove('one', { handle })], signal);
    expect(vendor.txt()).toEqual(['two']);
    expect(vendor.calls).toEqual(['create one', 'create two', 'commit', 'remove one', 'commit']);
  });

  it('find every copy of a value whose id was lost, and nothing else', async () => {
    const vendor = recordVendor();
    for (const value of ['copy', 'other', 'copy'])
      vendor.world.addRecord(zone.name, { ...add(value), type: 'TXT' });
    await vendor.records.apply(zone, [remove('copy'), remove('never')], signal);
    expect(vendor.txt()).toEqual(['other']);
  });

  it('tell the vendor that they are complete, also when nothing was left to do', async () => {
    const vendor = recordVendor();
    await vendor.records.apply(zone, [add('x')], signal);
    await vendor.records.apply(zone, [add('x')], signal);
    expect(vendor.calls.filter((call) => call === 'commit')).toHaveLength(2);
  });

  it('leave a refusal to the change that it is about', async () => {
    const vendor = recordVendor({ refuse: new AgentError('provider.invalid', 'no') });
    const { outcomes } = await vendor.records.apply(zone, [add('good'), add('bad'), add('fine')], signal);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(vendor.txt()).toEqual(['good', 'fine']);
  });

  it('end at a fault of the vendor, once what was begun has ended', async () => {
    const vendor = recordVendor({ refuse: new AgentError('provider.throttled', 'slowly') });
    const many = Array.from({ length: 50 }, (_, index) => add(`v${index}`, `h${index}.example.test`));
    const applied = vendor.records.apply(zone, [add('bad'), ...many], signal);
    await expect(applied).rejects.toMatchObject({ code: 'provider.throttled' });
    const made = vendor.calls.length;
    expect(made).toBeLessThan(10);
    await pause(30);
    expect(vendor.calls).toHaveLength(made);
  });

  it.each([
    ['none', 5],
    ['name', 5],
    ['zone', 1],
    ['account', 1],
  ] as const)('with the trait serialize %s are %i at once', async (serialize, most) => {
    const vendor = recordVendor({ serialize });
    const many = Array.from({ length: 20 }, (_, index) => add('v', `h${index}.example.test`));
    await vendor.records.apply(zone, many, signal);
    expect(vendor.most()).toBe(most);
  });

  it('of one name are made one after the other, in order', async () => {
    const vendor = recordVendor({ refusesCopies: true });
    await vendor.records.apply(zone, [add('1'), add('2'), add('3')], signal);
    expect(vendor.most()).toBe(1);
    expect(vendor.txt()).toEqual(['1', '2', '3']);
  });
});

describe('changes made in batches', () => {
  it('cost one list and one batch, and none where nothing is to be done', async () => {
    const sent: unknown[] = [];
    const held: HeldRecord[] = [
      { name: 'a.example.test', value: 'there', handle: '1' },
      { name: 'a.example.test', value: 'goes', handle: '2' },
    ];
    const records = createRecordBatches({
      list: async () => held,
      async change(_, { creates, removes }) {
        sent.push([creates.map(({ value }) => value), removes.map(({ handle }) => handle)]);
        return ['9'];
      },
    });
    const wanted = [
      add('there'),
      add('new'),
      add('new'),
      remove('goes', { handle: 'stale' }),
      remove('never'),
    ];
    const { outcomes } = await records.apply(zone, wanted, signal);
    expect(sent).toEqual([[['new'], ['2']]]);
    expect(outcomes.map((outcome) => outcome.ok && outcome.handle)).toEqual([
      '1',
      '9',
      '9',
      undefined,
      undefined,
    ]);
    await records.apply(zone, [add('there'), remove('never')], signal);
    expect(sent).toHaveLength(1);
  });
});

describe('changes made to whole sets', () => {
  it('keep what others have there, exactly as it was written, and its TTL', async () => {
    const vendor = setVendor([{ name: 'a.example.test', ttl: 7200, values: ['"foreign" "parts"'] }]);
    await vendor.sets.apply(zone, [add('mine')], signal);
    expect(vendor.held()).toEqual([
      { name: 'a.example.test', ttl: 7200, values: ['"foreign" "parts"', '"mine"'] },
    ]);
    await vendor.sets.apply(zone, [remove('mine')], signal);
    expect(vendor.held()).toEqual([{ name: 'a.example.test', ttl: 7200, values: ['"foreign" "parts"'] }]);
  });

  it('remove a set with its last value, and write nothing that is so already', async () => {
    const vendor = setVendor([{ name: 'a.example.test', ttl: 60, values: ['"x"'] }]);
    await vendor.sets.apply(zone, [add('x'), remove('never')], signal);
    expect(vendor.writes).toHaveLength(0);
    await vendor.sets.apply(zone, [remove('x')], signal);
    expect(vendor.held()).toEqual([]);
    expect(vendor.writes).toHaveLength(1);
  });

  it('are made from what stands there now when they are asked for again, since somebody else was faster', async () => {
    const vendor = setVendor([], { conflicts: 2 });
    for (const attempt of [1, 2]) {
      await expect(vendor.sets.apply(zone, [add('mine')], signal)).rejects.toMatchObject({
        code: 'provider.conflict',
      });
      expect(vendor.writes).toHaveLength(attempt);
    }
    await vendor.sets.apply(zone, [add('mine')], signal);
    expect(vendor.held()[0]?.values).toEqual(['"rival 2"', '"rival 1"', '"mine"']);
  });

  it('of several names are one call, or one each with an outcome of its own', async () => {
    const names = ['a.example.test', 'bad.example.test', 'c.example.test'];
    const changes = names.map((name) => add('v', name));
    const single = setVendor([], { scope: 'name' });
    const { outcomes } = await single.sets.apply(zone, changes, signal);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(single.writes).toHaveLength(3);
    const whole = setVendor([]);
    await expect(whole.sets.apply(zone, changes, signal)).rejects.toMatchObject({ code: 'provider.invalid' });
    expect(whole.writes).toHaveLength(1);
    expect(whole.held()).toEqual([]);
  });
});

describe('a list of each name', () => {
  it.each([
    ['none is named', undefined, ['the zone']],
    ['more are named than the most', ['a', 'b', 'c'], ['the zone']],
    ['as many are named', ['a', 'b'], ['a', 'b']],
  ])('reads where %s', async (_, names, read) => {
    const list = listEachName(async (_, name) => [name ?? 'the zone'], 2);
    await expect(list(zone, names, signal)).resolves.toEqual(read);
  });
});

interface RecordVendorOptions {
  readonly refusesCopies?: boolean;
  readonly serialize?: ProviderTraits['serialize'];
  /** What a value "bad" is answered with. */
  readonly refuse?: AgentError;
}

function recordVendor({ refusesCopies, serialize = 'none', refuse }: RecordVendorOptions = {}) {
  const world = createWorld({ zones: [zone.name] });
  const calls: string[] = [];
  let out = 0;
  let most = 0;
  const call = async (what: string) => {
    calls.push(what);
    most = Math.max(most, ++out);
    await pause(2);
    out--;
  };
  const records = createRecords(
    {
      refusesCopies,
      async list() {
        calls.push('list');
        return world
          .records(zone.name)
          .filter(({ type }) => type === 'TXT')
          .map(({ id, name, value }) => ({ handle: String(id), name, value }));
      },
      async create(_, { name, value, ttl }) {
        await call(`create ${value}`);
        if (value === 'bad' && refuse !== undefined) throw refuse;
        return String(world.addRecord(zone.name, { name, type: 'TXT', ttl, value }).id);
      },
      async remove(_, { handle, value }) {
        await call(`remove ${value}`);
        world.removeRecord(zone.name, Number(handle));
      },
      commit: async () => void calls.push('commit'),
    },
    { ...traits, serialize },
  );
  return { records, world, calls, most: () => most, txt: () => world.store.txt('a.example.test') };
}

interface SetVendorOptions {
  readonly conflicts?: number;
  readonly scope?: 'zone' | 'name';
}

function setVendor(start: readonly TxtSet[], { conflicts = 0, scope = 'zone' }: SetVendorOptions = {}) {
  const held = new Map(start.map((set) => [set.name, set]));
  const writes: (readonly SetChange[])[] = [];
  let rivals = conflicts;
  const form = { write: (value: string) => `"${value}"`, read: (text: string) => text.slice(1, -1) };
  const read = async () => [...held.values()];
  async function write(_: ZoneRef, changes: readonly SetChange[]) {
    writes.push(changes);
    if (rivals > 0) {
      const name = 'a.example.test';
      const values = [...(held.get(name)?.values ?? []), `"rival ${rivals--}"`];
      held.set(name, { name, ttl: 60, values });
      throw new AgentError('provider.conflict', 'changed meanwhile');
    }
    if (changes.some(({ name }) => name.startsWith('bad')))
      throw new AgentError('provider.invalid', 'a bad name');
    for (const { name, after } of changes) {
      if (after === undefined) held.delete(name);
      else held.set(name, after);
    }
    return undefined;
  }
  const sets = createSets(
    scope === 'zone'
      ? { form, scope, read, write }
      : { form, scope, read, write: async (at, change) => void (await write(at, [change])) },
    traits,
  );
  return { sets, writes, held: () => [...held.values()] };
}
