import { describe, expect, it } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { keepUntilEnd } from './given.ts';
import { allBlows, type Blow, type Ending, startVictim, type Way } from './kill-steps.ts';

const victims = 3;

/** A suite: an agent is killed at each write of an issuance in turn, before and after it. */
export function testEachBlow(way: Way): void {
  const keep = keepUntilEnd();

  describe(`an agent that is killed at any write of an issuance by ${way}`, () => {
    it('leaves what the next one ends: one account, one certificate, one finalize, no token, no record', async () => {
      const redis = keep(await startRedis());
      const endings: Ending[] = [];
      const over = new Set<string>();
      const next = blows(way, (when) => over.has(when));
      const names = Array.from({ length: victims }, (_, index) => `victim${index}`);
      await Promise.all(
        names.map(async (name) => {
          const victim = keep(await startVictim(redis, name));
          for (const blow of next) {
            const ending = await victim.strike(blow);
            if (ending.at === undefined) over.add(ending.when);
            endings.push(ending);
          }
        }),
      );
      expect(endings.filter(({ at }) => at !== undefined).length).toBeGreaterThan(15);
      expect(endings.filter((one) => !isGood(one))).toEqual([]);
      // The key that is stored before the CA hears of it, and the account that it opened for it.
      const ofAccounts = endings.filter(({ at }) => at?.includes('accounts'));
      expect(ofAccounts.map(({ when }) => when).sort()).toEqual(['after', 'after', 'before', 'before']);
      // The point between newOrder and its stored URL was among them.
      expect(endings.some(({ orders }) => orders === 2)).toBe(true);
    }, 600_000);
  });
}

/** Blows one after the other, until of each sort one came too late to meet anything. */
function* blows(way: Way, isOver: (when: Blow['when']) => boolean): Generator<Blow> {
  for (const blow of allBlows(way)) if (!isOver(blow.when)) yield blow;
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
