import { describe, expect, test } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { TxtChange } from '../../src/core/provider.ts';
import { chunksOf } from '../../src/dns/chunks.ts';
import { fly } from '../../src/dns/flight.ts';

function changesOf(names: readonly string[]): readonly TxtChange[] {
  return names.map((name) => ({ op: 'add', name, value: 'v', ttl: 60 }));
}

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `h${index}`);
}

/** A vendor that refuses every batch with one of `bad` in it; keeps what it took. */
function createVendor(bad: readonly string[]) {
  const calls: number[] = [];
  const taken: string[] = [];
  const apply = async (changes: readonly TxtChange[]) => {
    calls.push(changes.length);
    const refused = changes.find(({ name }) => bad.includes(name));
    if (refused !== undefined) throw new AgentError('provider.invalid', `${refused.name} is refused`);
    taken.push(...changes.map(({ name }) => name));
    return { outcomes: changes.map(() => ({ ok: true as const })), ticket: `t${calls.length}` };
  };
  return { calls, taken, apply };
}

describe('chunks', () => {
  test('hold no more changes than the vendor takes, in the order given', () => {
    const chunks = chunksOf(changesOf(numbered(7)), { maxChanges: 3, atomic: true });
    expect(chunks.map((chunk) => chunk.map(({ name }) => name))).toEqual([
      ['h0', 'h1', 'h2'],
      ['h3', 'h4', 'h5'],
      ['h6'],
    ]);
  });

  test('hold no more characters than the vendor counts', () => {
    const costOf = ({ value }: TxtChange) => value.length + 2;
    const changes = [43, 43, 100, 10, 43].map((length, index) => ({
      ...{ op: 'add' as const, name: `h${index}`, ttl: 60 },
      value: 'x'.repeat(length),
    }));
    const chunks = chunksOf(changes, { maxChanges: 1000, maxCost: 100, costOf, atomic: true });
    // 45 + 45, then one that is too dear for any call, then 12 + 45.
    expect(chunks.map((chunk) => chunk.length)).toEqual([2, 1, 2]);
  });

  test('of nothing are none', () => {
    expect(chunksOf([], { maxChanges: 3, atomic: true })).toEqual([]);
  });
});

describe('a batch that is all or nothing', () => {
  const atomic = { maxChanges: 100, atomic: true };

  test('with one bad change in twenty fails that one alone, in at most eleven calls', async () => {
    for (const bad of [0, 7, 13, 19]) {
      const vendor = createVendor([`h${bad}`]);
      const landings = await fly(changesOf(numbered(20)), atomic, vendor.apply);
      const lost = landings.flatMap((landing, index) => (landing.ok ? [] : [index]));
      expect(lost).toEqual([bad]);
      expect(vendor.taken).toHaveLength(19);
      expect(vendor.calls.length).toBeLessThanOrEqual(11);
    }
  });

  test('with several bad changes fails those, each with its own words', async () => {
    const vendor = createVendor(['h3', 'h4', 'h30']);
    const landings = await fly(changesOf(numbered(40)), atomic, vendor.apply);
    const words = landings.flatMap((landing) => (landing.ok ? [] : [landing.error.message]));
    expect(words).toEqual(['h3 is refused', 'h4 is refused', 'h30 is refused']);
  });

  test('gives each change the ticket of the call that took it', async () => {
    const vendor = createVendor(['h0']);
    const landings = await fly(changesOf(numbered(4)), atomic, vendor.apply);
    const tickets = landings.map((landing) => (landing.ok ? landing.ticket : undefined));
    expect(tickets).toEqual([undefined, 't4', 't5', 't5']);
  });

  test('that fails as a call is not halved, and the chunks after it are not tried', async () => {
    const calls: number[] = [];
    const apply = async (changes: readonly TxtChange[]) => {
      calls.push(changes.length);
      throw new AgentError('provider.auth', 'the token is not valid');
    };
    const landings = await fly(changesOf(numbered(9)), { maxChanges: 4, atomic: true }, apply);
    expect(calls).toEqual([4]);
    expect(landings.map((landing) => landing.ok)).toEqual(Array.from({ length: 9 }, () => false));
  });

  test('whose vendor goes down while it is halved stops there; what was taken stays taken', async () => {
    const vendor = createVendor(['h6']);
    const apply = async (changes: readonly TxtChange[]) => {
      if (vendor.calls.length === 2) throw new AgentError('provider.unavailable', 'down');
      return vendor.apply(changes);
    };
    const landings = await fly(changesOf(numbered(8)), atomic, apply);
    expect(landings.map((landing) => (landing.ok ? 'in' : landing.error.code))).toEqual([
      ...Array.from({ length: 4 }, () => 'in'),
      ...Array.from({ length: 4 }, () => 'provider.unavailable'),
    ]);
    expect(vendor.taken).toEqual(['h0', 'h1', 'h2', 'h3']);
  });
});

test('where the vendor judges each change, a refused batch is not halved', async () => {
  const vendor = createVendor(['h1']);
  const landings = await fly(changesOf(numbered(4)), { maxChanges: 100, atomic: false }, vendor.apply);
  expect(vendor.calls).toEqual([4]);
  expect(landings.map(({ ok }) => ok)).toEqual([false, false, false, false]);
});

test('a provider that forgets the outcome of a change has not done it', async () => {
  const apply = async () => ({ outcomes: [{ ok: true as const }] });
  const landings = await fly(changesOf(['a', 'b']), { maxChanges: 100, atomic: true }, apply);
  expect(landings.map((landing) => landing.ok)).toEqual([true, false]);
});
