import { describe, expect, it } from 'vitest';
import type { Domain } from '../../src/core/types.ts';
import type { CallKind } from '../support/proxy.ts';
import { eachWiredWorld } from './each-world.ts';
import { expectLadder, hours, mostCalls, mostHeldMs } from './fault-hours.ts';
import { expectPeace, until } from './fault-kit.ts';
import { hour, minute } from './given.ts';
import type { WiredWorld } from './wired-world.ts';
import { www } from './world.ts';

let world: WiredWorld;

eachWiredWorld((opened) => {
  world = opened;
});

const kinds = ['newOrder', 'finalize', 'cert'] as const;

/** An attempt asks for an order that says what it replaces, and once more for a plain one; advice is asked for as the CA says. */
function mostTries(name: string, kind: CallKind): number {
  if (kind === 'renewalInfo') return (hour / minute) * (hours[name]?.calls ?? 0);
  return (kind === 'newOrder' ? 2 : 1) * mostCalls(name, kind);
}

/** Up to the moment at which the certificate is due. */
async function untilDue(change: Partial<Domain>): Promise<number> {
  await world.want({ issuers: ['first'], ...change });
  await world.live(minute);
  const { renewAt = 0 } = await world.store.renewals.get(www);
  await world.pass(renewAt - world.clock.now());
  return world.clock.now();
}

describe.each(Object.entries(hours))('an hour of %s, when a certificate is due,', (name, { set }) => {
  async function survives(kind: CallKind, change: Partial<Domain>): Promise<readonly number[]> {
    const dueAt = await untilDue(change);
    const fault = set(world, until(dueAt + hour, kind));
    await world.live(3 * hour);
    await expectPeace(world);
    expect(fault.met).toBeGreaterThan(0);
    expect(fault.met).toBeLessThanOrEqual(mostTries(name, kind));
    expect(Math.max(...world.held)).toBeLessThanOrEqual(mostHeldMs);
    // The old one was served until then, never another fallback.
    const served = world.web.history.map(({ certificate: { source, generation } }) => [source, generation]);
    expect(served.slice(-2)).toEqual([
      ['acme', 1],
      ['acme', 2],
    ]);
    return (await world.events('certificate.failed')).map(({ at }) => Math.floor((at - dueAt) / minute));
  }

  it('by HTTP-01 at newOrder', async () => {
    expectLadder(await survives('newOrder', {}), { name, kind: 'newOrder' });
  });

  it.each(kinds)('by DNS-01 at %s', async (kind) => {
    // Its minutes begin when the first attempt does, not with the world.
    const attempts = name === 'silence' && kind === 'finalize' ? [0, 1, 12] : undefined;
    const minutes = await survives(kind, { challenge: 'dns-01', dnsAccount: 'zone' });
    expectLadder(minutes, { name, kind, attempts });
  });

  it('at renewalInfo, costs no attempt: it is renewed without advice', async () => {
    expect(await survives('renewalInfo', {})).toEqual([]);
  });
});
