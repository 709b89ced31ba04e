import { describe, expect, it } from 'vitest';
import type { Domain } from '../../src/core/types.ts';
import type { Call, CallKind } from '../support/proxy.ts';
import { eachWiredWorld } from './each-world.ts';
import { attemptsOf, expectLadder, hours, mostCalls, mostHeldMs } from './fault-hours.ts';
import { expectPeace, kinds, until } from './fault-kit.ts';
import { hour, minute, t0 } from './given.ts';
import type { WiredWorld } from './wired-world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

function first(kind: CallKind): (call: Call) => boolean {
  return until(t0 + hour, kind);
}

describe.each(Object.entries(hours))('an hour of %s', (name, { set }) => {
  async function survives(kind: CallKind, change: Partial<Domain>): Promise<void> {
    const fault = set(world, first(kind));
    const attempts = attemptsOf(name, kind);
    await world.want({ issuers: ['first'], ...change });
    await world.live(3 * hour);
    await expectPeace(world);
    expect(fault.met).toBeLessThanOrEqual(mostCalls(name, kind));
    const failed = await world.events('certificate.failed');
    const minutes = failed.map(({ at }) => Math.floor((at - t0) / minute));
    expectLadder(minutes, { name, kind });
    expect(Math.max(...world.held)).toBeLessThanOrEqual(mostHeldMs);
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
