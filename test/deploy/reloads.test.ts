import { describe, expect, it } from 'vitest';
import { signal } from './fixture.ts';
import { givenTarget } from './reloads-kit.ts';

describe('reloads of one target', () => {
  it('start at once the first time, and are not repeated for what they were for', async () => {
    const { agent, place, run, started, count } = givenTarget();
    const placed = await place('a');
    const done = agent().follow(placed, signal);
    await started(1);
    run(0).end();
    expect(await done).toBeUndefined();
    expect(await agent().follow(placed, signal)).toBeUndefined();
    expect(count()).toBe(1);
  });

  it('never count for a switch that came after they started', async () => {
    const { agent, clock, place, run, started } = givenTarget();
    const web = agent();
    const first = web.follow(await place('a'), signal);
    await started(1);
    const late = await place('b');
    expect(await web.follow(late, signal)).toEqual({ again: expect.any(Number) });
    run(0).end();
    await first;
    expect(await web.follow(late, signal)).toEqual({ again: clock.now() + 10_000 });

    clock.advance(10_000);
    const second = web.follow(late, signal);
    await started(2);
    run(1).end();
    expect(await second).toBeUndefined();
  });

  it('are for all that was placed before them', async () => {
    const { agent, clock, place, run, started, count } = givenTarget();
    const web = agent();
    const first = web.follow(await place('a'), signal);
    await started(1);
    run(0).end();
    await first;
    const placed = await Promise.all(['b', 'c', 'd', 'e', 'f'].map(place));
    for (const one of placed) expect(await web.follow(one, signal)).toEqual({ again: clock.now() + 10_000 });

    clock.advance(10_000);
    const asked = placed.map((each) => web.follow(each, signal));
    await started(2);
    // Whoever came first runs it.
    await Promise.any(asked);
    run(1).end();
    expect(await Promise.all(asked)).toContain(undefined);
    for (const each of placed) expect(await web.follow(each, signal)).toBeUndefined();
    expect(count()).toBe(2);
  });

  it('run one at a time, whichever agent or configuration asks', async () => {
    const { agent, clock, place, run, started, count } = givenTarget();
    const first = agent().follow(await place('a'), signal);
    await started(1);
    const late = await place('b');
    clock.advance(25_000);
    expect(await agent().follow(late, signal)).toEqual({ again: clock.now() + 5_000 });
    expect(count()).toBe(1);
    run(0).end();
    await first;

    const both = [agent(), agent()].map((other) => other.follow(late, signal));
    await started(2);
    run(1).end();
    const answers = await Promise.all(both);
    expect(answers).toContain(undefined);
    expect(count()).toBe(2);
  });

  it('that fail are told to each that waited, and repeated once for all of them', async () => {
    const { agent, clock, place, run, started, count } = givenTarget();
    const web = agent();
    const first = await place('a');
    const failing = web.follow(first, signal);
    await started(1);
    const [second, third] = [await place('b'), await place('c')];
    for (const late of [second, third])
      expect(await web.follow(late, signal)).toEqual({ again: expect.any(Number) });
    run(0).fail('syntax error in line 7');
    await expect(failing).rejects.toMatchObject({
      code: 'deploy.reload',
      message: expect.stringContaining('line 7'),
    });

    clock.advance(10_000);
    const failingAgain = web.follow(second, signal);
    await started(2);
    run(1).fail('syntax error in line 8');
    await expect(failingAgain).rejects.toThrow('line 8');
    for (const other of [third, first]) await expect(agent().follow(other, signal)).rejects.toThrow('line 8');
    expect(count()).toBe(2);

    clock.advance(60_000);
    const mended = web.follow(third, signal);
    await started(3);
    run(2).end();
    expect(await mended).toBeUndefined();
    for (const other of [first, second]) expect(await web.follow(other, signal)).toBeUndefined();
    expect(count()).toBe(3);
  });

  it('that ended well before a later one failed still count', async () => {
    const { agent, clock, place, run, started } = givenTarget();
    const web = agent();
    const early = await place('a');
    const first = web.follow(early, signal);
    await started(1);
    run(0).end();
    await first;
    clock.advance(10_000);
    const second = web.follow(await place('b'), signal);
    await started(2);
    run(1).fail('no');
    await expect(second).rejects.toThrow('no');
    expect(await web.follow(early, signal)).toBeUndefined();
  });

  it('of two targets in one folder do not count for one another', async () => {
    const { agent, place, run, started, count } = givenTarget();
    const placed = await place('a');
    const [web, mail] = [agent('web').follow(placed, signal), agent('mail').follow(placed, signal)];
    await started(2);
    run(0).end();
    run(1).end();
    expect(await Promise.all([web, mail])).toEqual([undefined, undefined]);
    expect(count()).toBe(2);
  });

  it('are not held up by a clock that was set back', async () => {
    const { agent, clock, place, run, started } = givenTarget();
    const web = agent();
    const first = web.follow(await place('a'), signal);
    await started(1);
    run(0).end();
    await first;
    clock.advance(-86_400_000);
    const second = web.follow(await place('b'), signal);
    await started(2);
    run(1).end();
    expect(await second).toBeUndefined();
  });

  it('are repeated, once, for readers that were seen to show something else after them', async () => {
    const { agent, placed, seen, run, started, count } = await givenSight();
    const again = agent().follow(seen, signal);
    await started(2);
    run(1).end();
    expect(await again).toBeUndefined();
    // Asked again about the same sight, and about none.
    expect(await agent().follow(seen, signal)).toBeUndefined();
    expect(await agent().follow(placed, signal)).toBeUndefined();
    expect(count()).toBe(2);
  });

  it('count for that only from the first one after it that ended well', async () => {
    const { agent, clock, seen, run, started } = await givenSight();
    const failing = agent().follow(seen, signal);
    await started(2);
    run(1).fail('nginx: configuration file test failed');
    await expect(failing).rejects.toThrow('configuration file test failed');
    clock.advance(10_000);
    const next = agent().follow(seen, signal);
    await started(3);
    run(2).end();
    expect(await next).toBeUndefined();
  });
});

/** A target that has reloaded what was placed, and readers that were seen to show something else a minute later. */
async function givenSight() {
  const target = givenTarget();
  const { agent, clock, place, run, started } = target;
  const placed = await place('a');
  const done = agent().follow(placed, signal);
  await started(1);
  run(0).end();
  await done;
  clock.advance(60_000);
  const seen = { ...placed, since: clock.now() };
  clock.advance(1000);
  return { ...target, placed, seen };
}
