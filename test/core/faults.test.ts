import { describe, expect, it } from 'vitest';
import type { Call, CallKind, Fault, TestProxy } from '../support/proxy.ts';
import { eachWiredWorld } from './each-world.ts';
import { always, date, expectPeace, kinds, problem, until } from './fault-kit.ts';
import { hour, minute, t0 } from './given.ts';
import type { WiredWorld } from './wired-world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

interface Hour {
  readonly set: (proxy: TestProxy, kind: CallKind) => Fault;
  /** Calls of the kind that one attempt makes at most. */
  readonly calls: number;
  /** Attempts in that hour: at 0, 1 and 11 minutes by the ladder, or when the CA says. */
  readonly attempts: number;
}

const ladder = 3;
/** What every call of a kind meets in the first hour. */
const hours: Readonly<Record<string, Hour>> = {
  'internal errors': {
    set: (proxy, kind) =>
      proxy.status(first(kind), () => ({ code: 500, body: problem('serverInternal'), nonce: true })),
    calls: 5,
    attempts: ladder,
  },
  'error pages': {
    set: (proxy, kind) => proxy.status(first(kind), () => ({ code: 502, body: '<h1>Bad gateway</h1>' })),
    calls: 5,
    attempts: ladder,
  },
  '503 with Retry-After in seconds': {
    set: (proxy, kind) =>
      proxy.status(first(kind), () => ({ code: 503, headers: { 'retry-after': '90' }, body: 'later' })),
    calls: 1,
    attempts: ladder,
  },
  '429 with Retry-After as a date': {
    set: (proxy, kind) =>
      proxy.status(first(kind), ({ at }) => ({
        code: 429,
        headers: { 'retry-after': date(at + 30 * minute), date: date(at) },
        body: problem('rateLimited'),
        nonce: true,
      })),
    calls: 1,
    attempts: 2,
  },
  '429 with Retry-After: 0': {
    set: (proxy, kind) =>
      proxy.status(first(kind), () => ({
        code: 429,
        headers: { 'retry-after': '0' },
        body: problem('rateLimited'),
        nonce: true,
      })),
    calls: 5,
    attempts: ladder,
  },
  'connections that break before the CA hears of it': {
    set: (proxy, kind) => proxy.cut(first(kind), 'before', always),
    calls: 5,
    attempts: ladder,
  },
  'answers that get lost': {
    set: (proxy, kind) => proxy.cut(first(kind), 'after', always),
    calls: 5,
    attempts: ladder,
  },
  'rejected nonces': {
    set: (proxy, kind) =>
      proxy.status(first(kind), () => ({ code: 400, body: problem('badNonce'), nonce: true })),
    calls: 21,
    attempts: ladder,
  },
  'bodies that end too early': {
    set: (proxy, kind) =>
      proxy.rewrite(first(kind), ({ text }) => ({ text: text.slice(0, text.length / 2) }), always),
    calls: 2,
    attempts: ladder,
  },
  silence: {
    set: (proxy, kind) => proxy.delay(first(kind), world.takes(70_000), always),
    calls: 1,
    attempts: ladder,
  },
};

function first(kind: CallKind): (call: Call) => boolean {
  return until(t0 + hour, kind);
}

describe.each(Object.entries(hours))('an hour of %s', (name, { set, calls, attempts }) => {
  it.each(kinds)('at %s', async (kind) => {
    const fault = set(world.wire.first, kind);
    await world.want({ issuers: ['first'] });
    await world.live(3 * hour);
    await expectPeace(world);
    expect(fault.met).toBeLessThanOrEqual(attempts * calls);
    expect(Math.max(...world.held)).toBeLessThanOrEqual(name === 'silence' ? 61_000 : 12_000);
    expect(world.first.finalized()).toHaveLength(1);
    // Of an order whose creation was answered by nothing we cannot know.
    const isLost = kind === 'newOrder' && name === 'answers that get lost';
    expect(world.first.orders.length).toBeLessThanOrEqual(isLost ? 2 * attempts + 1 : 1);
  });
});

describe.each([
  ['a connection that breaks before the CA hears of it', 'before'],
  ['an answer that gets lost', 'after'],
] as const)('%s', (_, when) => {
  it.each(kinds)('at %s costs a second, and no attempt', async (kind) => {
    world.wire.first.cut(kind, when);
    await world.want({ issuers: ['first'] });
    await world.live(minute);
    await expectPeace(world);
    expect(await world.events('certificate.failed')).toEqual([]);
    expect(world.first.finalized()).toHaveLength(1);
    expect(world.first.orders).toHaveLength(kind === 'newOrder' && when === 'after' ? 2 : 1);
  });
});
