import { beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { lineageLock } from '../../src/core/locks.ts';
import { renew } from '../../src/core/renewal/renew.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import type { Step } from '../core/gate.ts';
import { aHost, day, hour, minute, t0 } from '../core/given.ts';
import { type CheapWorld, openCheapWorld, www } from '../core/world.ts';

let world: CheapWorld;

beforeEach(() => {
  world = openCheapWorld();
});

const idOf = (host: string) => `example.com/${host}/ec`;
const generationOf = async (id: string) => (await world.store.certificates.certificate(id))?.generation;
const never = new AbortController().signal;

/** All that is due, as ticks and workers do it: a job that rejects is one line in the log. */
async function tickOn(ms: number): Promise<number> {
  let rejected = 0;
  for (const end = world.clock.now() + ms; world.clock.now() < end; await world.pass(minute))
    for (const { job, id } of await world.store.due.next(world.clock.now(), 100))
      await world.handle(job, id).catch(() => rejected++);
  return rejected;
}

describe('a record of one host that cannot be read', () => {
  const [bad, ...others] = ['a.example.com', 'b.example.com', 'c.example.com'].map(idOf);

  it('keeps no other host from its certificate and its renewal, and stops none once it was put right', async () => {
    await world.want({ issuers: ['first'] }, ['a.example.com', 'b.example.com', 'c.example.com']);
    const unreadable: Step = async (proceed, [id]) => {
      if (id === bad) throw new AgentError('store.schema', 'a record in the store cannot be read');
      return proceed();
    };
    world.gate.always('renewals.get', unreadable);
    expect(await tickOn(10 * minute)).toBeGreaterThan(0);
    expect(await Promise.all(others.map(generationOf))).toEqual([1, 1]);
    for (const id of others) await world.ask(true, undefined, id);
    await tickOn(5 * minute);
    expect(await Promise.all(others.map(generationOf))).toEqual([2, 2]);
    expect(await generationOf(bad ?? '')).toBeUndefined();
    world.gate.always('renewals.get', undefined);
    await tickOn(3 * minute);
    expect(await generationOf(bad ?? '')).toBe(1);
  });
});

describe('changes of one domain at the same moment', () => {
  const hosts = ['a.example.com', 'b.example.com', 'c.example.com', 'd.example.com'];
  const add = (host: string) => changeWishes('example.com', () => ({ putHosts: [aHost(host)] }), world.needs);

  it('drop none of its hosts from what is ordered', async () => {
    await world.want({ issuers: ['first'] });
    await world.run(Promise.all(hosts.map(add)));
    await world.live(minute);
    expect(await Promise.all(hosts.map((host) => generationOf(idOf(host))))).toEqual([1, 1, 1, 1]);
  });

  it('and an order are both kept: the one does not write the other over', async () => {
    await world.want({ issuers: ['first'] });
    world.gate.once('first.finalize', async (proceed) => {
      await changeWishes('example.com', () => ({ putHosts: [aHost('a.example.com')] }), world.needs);
      await changeWishes(
        'example.com',
        () => ({ request: { policies: ['example.com/www.example.com'], force: true } }),
        world.needs,
      );
      return proceed();
    });
    await world.live(5 * minute);
    expect(await generationOf(idOf('a.example.com'))).toBe(1);
    // The one that was under way, and the one that was asked for meanwhile.
    expect(await generationOf(www)).toBe(2);
  });
});

describe('the two certificates of a host with keys of both kinds', () => {
  it('are both issued and both renewed: neither is skipped for the other one', async () => {
    await world.want({ issuers: ['first'], keyTypes: ['p256', 'rsa2048'] });
    const both = [www, 'example.com/www.example.com/rsa'];
    const atOnce = await world.run(Promise.all(both.map((id) => renew(id, world.needs, never))));
    expect(atOnce).toEqual([undefined, undefined]);
    expect(await Promise.all(both.map(generationOf))).toEqual([1, 1]);
    await world.live(minute);
    const states = await world.store.renewals.many(both);
    const last = Math.max(...states.map(({ renewAt = 0 }) => renewAt));
    await world.live(last + minute - world.clock.now());
    expect(await Promise.all(both.map(generationOf))).toEqual([2, 2]);
  });
});

describe('a renewal that finds its lock held', () => {
  it('is not skipped: it comes again in seconds, and is done as soon as the holder is', async () => {
    await world.want({ issuers: ['first'] });
    const lock = await world.store.locks.tryAcquire(lineageLock(www), 15_000);
    const again = await world.handle('issue', www);
    expect((again?.again ?? 0) - world.clock.now()).toBeLessThanOrEqual(5000);
    expect(world.first.orders).toEqual([]);
    await lock?.release();
    await world.live(minute);
    expect(await generationOf(www)).toBe(1);
  });
});

describe('a store that goes away in the middle of an order', () => {
  const calls = ['changes.commit', 'renewals.get', 'issuances.get', 'certificates.lineage'] as const;

  it.each(['first.newOrder', 'first.respond', 'first.finalize', 'first.certificate'])(
    'at %s, for an hour: the same order is gone on with, and nothing counts as failed',
    async (moment) => {
      await world.want({ issuers: ['first'] });
      const away: Step = async (proceed) => {
        if (world.clock.now() < t0 + hour) throw new AgentError('store.unavailable', 'connection lost');
        return proceed();
      };
      world.gate.once(moment, async (proceed) => {
        for (const call of calls) world.gate.always(call, away);
        return proceed();
      });
      expect(await tickOn(hour)).toBeGreaterThan(10);
      await world.live(10 * minute);
      expect(await generationOf(www)).toBe(1);
      expect(world.first.finalized()).toHaveLength(1);
      // Of an order whose URL could not be stored we cannot know.
      expect(world.first.orders).toHaveLength(moment === 'first.newOrder' ? 2 : 1);
      expect(await world.events('certificate.failed')).toEqual([]);
      expect(await world.store.renewals.get(www)).toMatchObject({ failures: 0 });
      await world.live(day);
      expect(await world.store.issuances.all()).toEqual([]);
      expect(await world.tokensLeft()).toBe(0);
    },
  );
});
