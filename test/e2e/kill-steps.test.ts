import { describe, expect, it } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { keepUntilEnd } from './given.ts';
import { type Blow, type Ending, startVictim, type Way } from './kill-steps.ts';

const keep = keepUntilEnd();
const ways: readonly Way[] = ['http-01', 'dns-01'];

/** Blows one after the other, until of each sort one came too late to meet anything. */
function* blows(isOver: (sort: string) => boolean): Generator<Blow> {
  for (let count = 1; count < 60; count++)
    for (const way of ways)
      for (const when of ['before', 'after'] as const)
        if (!isOver(`${way} ${when}`)) yield { way, count, when };
}

describe('an agent that is killed at any write of an issuance', () => {
  it('leaves what the next one ends: one certificate, one finalize, no token, no record', async () => {
    const redis = keep(await startRedis());
    const endings: Ending[] = [];
    const over = new Set<string>();
    const next = blows((sort) => over.has(sort));
    const victims = await Promise.all(['one', 'two', 'three'].map((name) => startVictim(redis, name)));
    for (const victim of victims) keep(victim);
    await Promise.all(
      victims.map(async (victim) => {
        for (const blow of next) {
          const ending = await victim.strike(blow);
          if (ending.at === undefined) over.add(`${ending.way} ${ending.when}`);
          endings.push(ending);
        }
      }),
    );
    for (const way of ways)
      expect(endings.filter((one) => one.way === way && one.at !== undefined).length).toBeGreaterThan(15);
    expect(endings.filter((one) => !isGood(one))).toEqual([]);
    // The point between newOrder and its stored URL was among them.
    expect(endings.some(({ orders }) => orders === 2)).toBe(true);
  }, 400_000);
});

/** Between the CA's answer to newOrder and the stored address nobody can know of the order. */
function isGood({ when, isOrderUrl, orders, ...left }: Ending): boolean {
  const mayBeLost = isOrderUrl && when === 'before';
  return (
    orders <= (mayBeLost ? 2 : 1) &&
    left.finalizes === 1 &&
    left.certificates === 1 &&
    left.tokens + left.journal + left.records === 0
  );
}
