import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Access } from '../../src/deploy/access.ts';
import { switchTo } from '../../src/deploy/generations.ts';
import { createReloads, type Placed, type Reloads } from '../../src/deploy/reloads.ts';
import { createRounds } from '../../src/deploy/rounds.ts';
import { slotPath } from '../../src/deploy/slot-path.ts';
import { testFolder } from '../support/run-folder.ts';
import { createManualClock, signal, slotOf } from './fixture.ts';

const access: Access = { fileMode: 0o600, directoryMode: 0o700, uid: -1, gid: -1 };

interface Run {
  end(): void;
  fail(message: string): void;
}

/** A target in a folder of its own, and agents on it that share its folder and the time; a reload ends when the test says so. */
function givenTarget() {
  const root = testFolder('reloads');
  const clock = createManualClock();
  const runs: Run[] = [];

  /** As a new process, or the same one with a new configuration, would make it. */
  function agent(name = 'web'): Reloads {
    const reload = (abort: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        abort.addEventListener('abort', () => reject(abort.reason), { once: true });
        runs.push({ end: resolve, fail: (message) => reject(new AgentError('deploy.reload', message)) });
      });
    return createReloads({
      target: name,
      rounds: createRounds(root, name),
      reload,
      timeoutMs: 30_000,
      clock,
    });
  }

  async function place(label: string): Promise<Placed> {
    const path = slotPath(root, slotOf(label));
    return { path, generation: await switchTo(path, { 'combined.pem': label }, access), access };
  }

  function run(at: number): Run {
    const found = runs[at];
    if (found === undefined) throw new Error(`reload ${at} has not started`);
    return found;
  }

  const started = (count: number) => expect.poll(() => runs.length, { timeout: 20_000 }).toBe(count);
  return { root, clock, agent, place, run, started, count: () => runs.length };
}

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
});

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
