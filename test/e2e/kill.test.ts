import { describe, expect, it } from 'vitest';
import { startBind } from '../support/bind.ts';
import { startRedis } from '../support/redis.ts';
import { keepUntilEnd } from './given.ts';
import { allBlows, type Blow, type Ending, startVictim, type Victim, ways } from './kill-steps.ts';
import { recordsOf } from './zones.ts';

/** Each waits most of its time until what the killed agent held has run out, as an operator would. */
const victims = 10;

const keep = keepUntilEnd();

describe('an agent that is killed at any write of an issuance, by HTTP-01 and by DNS-01', () => {
  it('leaves what the next one ends: one account, one certificate, one finalize, no token, no record', async () => {
    const redis = keep(await startRedis());
    const bind = keep(await startBind({ zones: ['zone.test', 'hosts.test'] }));
    const zone = await recordsOf(bind, 'zone.test');
    const endings: Ending[] = [];
    const over = new Set<string>();
    const next = blows((blow) => over.has(sortOf(blow)));
    const names = Array.from({ length: victims }, (_, index) => `victim${index}`);
    const strikeAll = async (victim: Victim) => {
      for (const blow of next) {
        const ending = await victim.strike(blow);
        if (ending.at === undefined) over.add(sortOf(ending));
        endings.push(ending);
      }
    };
    const struck: Promise<void>[] = [];
    // One after the other: a machine with two cores starts no ten agents at once.
    for (const name of names) struck.push(strikeAll(keep(await startVictim({ redis, bind, name }))));
    await Promise.all(struck);
    expect(endings.filter((one) => !isGood(one))).toEqual([]);
    expect(await recordsOf(bind, 'zone.test')).toEqual(zone);
    for (const way of ways) {
      const met = endings.filter((one) => one.way === way && one.at !== undefined);
      expect(met.length).toBeGreaterThan(15);
      // The key that is stored before the CA hears of it, and the account that it opened for it.
      const ofAccounts = met.filter(({ at }) => at?.includes('accounts'));
      expect(ofAccounts.map(({ when }) => when).sort()).toEqual(['after', 'after', 'before', 'before']);
      // The point between newOrder and its stored URL was among them.
      expect(met.some(({ orders }) => orders === 2)).toBe(true);
    }
    expect(bind.output()).toContain("adding an RR at '_acme-challenge.h.");
  }, 600_000);
});

/** Blows one after the other, until of each sort one came too late to meet anything. */
function* blows(isOver: (blow: Blow) => boolean): Generator<Blow> {
  for (const blow of allBlows()) if (!isOver(blow)) yield blow;
}

function sortOf({ way, when }: Blow): string {
  return `${way} ${when}`;
}

/** Between the CA's answer to newOrder and the stored address nobody can know of the order. */
function isGood({ when, isOrderUrl, orders, ...left }: Ending): boolean {
  const mayBeLost = isOrderUrl && when === 'before';
  return (
    left.accounts === 1 &&
    orders <= (mayBeLost ? 2 : 1) &&
    left.finalizes === 1 &&
    left.certificates === 1 &&
    left.tokens + left.journal + left.records === 0
  );
}
