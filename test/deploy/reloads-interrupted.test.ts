import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signal } from './fixture.ts';
import { givenTarget } from './reloads-kit.ts';

describe('an end in the middle', () => {
  it('between the switch and the reload leaves the reload to the next agent', async () => {
    const { agent, clock, place, run, started } = givenTarget();
    const first = agent().follow(await place('a'), signal);
    await started(1);
    run(0).end();
    await first;
    const placed = await place('b');
    // Killed here, before or after the next agent noted what it waits for.
    clock.advance(10_000);
    const next = agent().follow(placed, signal);
    await started(2);
    run(1).end();
    expect(await next).toBeUndefined();
  });

  it('of an agent that was killed while it reloaded is waited for until that reload must be over', async () => {
    const { agent, clock, place, run, started, count } = givenTarget();
    const placed = await place('a');
    void agent().follow(placed, signal);
    await started(1);
    clock.advance(39_999);
    expect(await agent().follow(placed, signal)).toEqual({ again: clock.now() + 5_000 });
    expect(count()).toBe(1);
    clock.advance(1);
    const next = agent().follow(placed, signal);
    await started(2);
    run(1).end();
    expect(await next).toBeUndefined();
  });

  it('in good order breaks the reload off, and the next agent need not wait for it', async () => {
    const { agent, clock, place, run, started } = givenTarget();
    const placed = await place('a');
    const stop = new AbortController();
    const broken = agent().follow(placed, stop.signal);
    await started(1);
    stop.abort(new Error('shutting down'));
    await expect(broken).rejects.toThrow('shutting down');
    clock.advance(10_000);
    const next = agent().follow(placed, signal);
    await started(2);
    run(1).end();
    expect(await next).toBeUndefined();
  });

  it.each([
    ['lost', (folder: string) => rmSync(folder, { recursive: true })],
    ['cut short', (folder: string) => truncateSync(join(folder, readdirSync(folder)[0] ?? ''), 5)],
  ])('that left the notes about the reloads %s costs one reload more', async (_, spoil) => {
    const { root, agent, clock, place, run, started, count } = givenTarget();
    const placed = await Promise.all(['a', 'b', 'c'].map(place));
    for (const [at, one] of placed.entries()) {
      const done = agent().follow(one, signal);
      await started(at + 1);
      run(at).end();
      await done;
      clock.advance(10_000);
    }
    spoil(join(root, '.reloads', 'web'));
    const [first, , last] = placed.map((one) => () => agent().follow(one, signal));
    const again = last?.();
    await started(4);
    run(3).end();
    expect(await again).toBeUndefined();
    expect(await first?.()).toBeUndefined();
    expect(count()).toBe(4);
  });
});
