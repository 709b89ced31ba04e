import { describe, expect, it } from 'vitest';
import type { Domain } from '../../src/core/types.ts';
import type { Call, CallKind, Fault, TestProxy } from '../support/proxy.ts';
import { eachWiredWorld } from './each-world.ts';
import { always, date, expectPeace, kinds, problem, until } from './fault-kit.ts';
import { day, hour, minute, t0 } from './given.ts';
import type { WiredWorld } from './wired-world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

interface Hour {
  readonly set: (proxy: TestProxy, kind: CallKind) => Fault;
  /** Calls of the kind that one attempt makes at most. */
  readonly calls: number;
  /** Minutes at which an attempt may fail: by the ladder, or when the CA says. */
  readonly attempts: readonly number[];
}

const ladder = [0, 1, 11];

/** A CA that is busy, with a word on when to come back. */
function busy(code: 429 | 503, retryAfter: (at: number) => string): Hour['set'] {
  const body = code === 503 ? 'later' : problem('rateLimited');
  return (proxy, kind) =>
    proxy.status(first(kind), ({ at }) => ({
      code,
      headers: { 'retry-after': retryAfter(at), date: date(at) },
      body,
      nonce: true,
    }));
}

/** The CA acts, and what it answers is changed on the way. */
function garbled(change: (text: string) => string): Hour['set'] {
  return (proxy, kind) => proxy.rewrite(first(kind), ({ text }) => ({ text: change(text) }), always);
}

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
  '503 with Retry-After in seconds': { set: busy(503, () => '90'), calls: 1, attempts: ladder },
  '503 with Retry-After as a date': {
    set: busy(503, (at) => date(at + 30 * minute)),
    calls: 1,
    attempts: [0, 30],
  },
  '503 with a Retry-After that has passed': {
    set: busy(503, (at) => date(at - 300 * day)),
    calls: 5,
    attempts: ladder,
  },
  '429 with Retry-After in seconds': { set: busy(429, () => '1800'), calls: 1, attempts: [0, 30] },
  '429 with Retry-After as a date': {
    set: busy(429, (at) => date(at + 30 * minute)),
    calls: 1,
    attempts: [0, 30],
  },
  '429 with Retry-After: 0': { set: busy(429, () => '0'), calls: 5, attempts: ladder },
  '429 with a Retry-After that is none': { set: busy(429, () => '-1 fortnight'), calls: 1, attempts: ladder },
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
    set: garbled((text) => text.slice(0, text.length / 2)),
    calls: 2,
    attempts: ladder,
  },
  'JSON of another shape': { set: garbled(() => '{"status":7,"finalize":{}}'), calls: 2, attempts: ladder },
  silence: {
    set: (proxy, kind) => proxy.delay(first(kind), world.takes(70_000), always),
    calls: 1,
    // Each takes a minute itself.
    attempts: [1, 3, 14],
  },
};

function first(kind: CallKind): (call: Call) => boolean {
  return until(t0 + hour, kind);
}

describe.each(Object.entries(hours))('an hour of %s', (name, { set, calls, attempts }) => {
  async function survives(kind: CallKind, change: Partial<Domain>): Promise<void> {
    const fault = set(world.wire.first, kind);
    await world.want({ issuers: ['first'], ...change });
    await world.live(3 * hour);
    await expectPeace(world);
    expect(fault.met).toBeLessThanOrEqual(attempts.length * calls);
    const failed = await world.events('certificate.failed');
    expect(attempts).toEqual(expect.arrayContaining(failed.map(({ at }) => Math.floor((at - t0) / minute))));
    expect(Math.max(...world.held)).toBeLessThanOrEqual(name === 'silence' ? 61_000 : 12_000);
    expect(world.first.finalized()).toHaveLength(1);
    // Of an order whose creation was answered by nothing we cannot know.
    const isLost = kind === 'newOrder' && name === 'answers that get lost';
    expect(world.first.orders.length).toBeLessThanOrEqual(isLost ? 2 * attempts.length + 1 : 1);
  }

  it.each(kinds)('at %s', (kind) => survives(kind, {}));

  it.each(['chall', 'finalize'] as const)('at %s, with records in a zone', (kind) =>
    survives(kind, { challenge: 'dns-01', dnsAccount: 'zone' }),
  );
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
