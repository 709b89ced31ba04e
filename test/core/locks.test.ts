import { expect, it } from 'vitest';
import { accountLock } from '../../src/core/account.ts';
import { acquireInTime, lineageLock, wishesLock } from '../../src/core/locks.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { openCheapWorld, www } from './world.ts';

it('who waits too long for a lock hears what is in the way and what to do, and can try again', async () => {
  const world = openCheapWorld();
  const wait = { name: 'some', ttlMs: 15_000, waitMs: 60_000, busy: 'another change of it' };
  const held = await world.run(acquireInTime(wait, world.needs));
  await expect(world.run(acquireInTime(wait, world.needs))).rejects.toMatchObject({
    code: 'store.conflict',
    message: 'another change of it has been under way for more than 60 s',
    advice: expect.stringContaining('Try again in a minute'),
  });
  await world.run(held.release());
  await world.run(world.run(acquireInTime(wait, world.needs)).then((lock) => lock.release()));
});

it('a change of wishes that finds another one under way for too long is no fault of the program', async () => {
  const world = openCheapWorld();
  await world.want();
  const lock = await world.run(world.needs.locks.tryAcquire(wishesLock('example.com'), 3_600_000));
  const change = world.run(changeWishes('example.com', () => undefined, world.needs));
  await expect(change).rejects.toMatchObject({
    code: 'store.conflict',
    message: expect.stringContaining('another change of example.com'),
  });
  await world.run(lock?.release() ?? Promise.resolve());
});

it('locks of one name for different things never meet', () => {
  const name = 'example.com';
  expect(new Set([lineageLock(name), wishesLock(name), accountLock(name), lineageLock(www)]).size).toBe(4);
});
