import { describe, expect, it } from 'vitest';
import { compareNames, nameFromRoute53, planChanges, type TxtSet } from '../../providers/route53-sets.ts';

const name = '_acme-challenge.example.test';
const add = { op: 'add', name, value: 'new', ttl: 10 } as const;
const set: TxtSet = { name, ttl: 300, values: ['"old"'], routed: false };

describe('planChanges', () => {
  it('creates a set where there is none', () => {
    expect(planChanges([], [add]).batch).toEqual([
      { action: 'CREATE', set: { name, ttl: 10, values: ['"new"'] } },
    ]);
  });

  it('deletes what it read and creates it anew with the same TTL, so that nobody else is overwritten', () => {
    expect(planChanges([set], [add]).batch).toEqual([
      { action: 'DELETE', set },
      { action: 'CREATE', set: { name, ttl: 300, values: ['"old"', '"new"'] } },
    ]);
  });

  it('writes a value that is there again, to have a change to ask for', () => {
    expect(planChanges([set], [{ ...add, value: 'old' }]).batch.map(({ action }) => action)).toEqual([
      'DELETE',
      'CREATE',
    ]);
  });

  it('deletes the set with its last value and does nothing for a value that is not there', () => {
    expect(planChanges([set], [{ ...add, op: 'remove', value: 'old' }]).batch).toEqual([
      { action: 'DELETE', set },
    ]);
    expect(planChanges([set], [{ ...add, op: 'remove' }]).batch).toEqual([]);
  });

  it('refuses to add beside records with a routing policy, and only that', () => {
    const other = { ...add, name: `other.${name}` };
    const { batch, outcomes } = planChanges(
      [{ ...set, routed: true }],
      [add, { ...add, op: 'remove' }, other],
    );
    expect(outcomes).toMatchObject([
      { ok: false, error: { message: /routing policy/ } },
      { ok: true },
      { ok: true },
    ]);
    expect(batch.map((change) => change.set.name)).toEqual([other.name]);
  });
});

it('reads names as Route 53 writes them', () => {
  expect(nameFromRoute53('\\052.Example.test.')).toBe('*.example.test');
});

it('orders names as Route 53 lists them', () => {
  const names = [
    'z.example.test',
    'example.test',
    'a.b.example.test',
    'b.example.test',
    'test',
    'b-c.example.test',
  ];
  expect([...names].sort(compareNames)).toEqual([
    'test',
    'example.test',
    'b.example.test',
    'a.b.example.test',
    'b-c.example.test',
    'z.example.test',
  ]);
});
