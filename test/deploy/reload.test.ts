import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createReloads } from '../../src/deploy/reload.ts';
import { createManualClock } from './fixture.ts';

const signal = new AbortController().signal;
setMaxListeners(0, signal);

interface Run {
  readonly signal: AbortSignal;
  end(): void;
  fail(reason: Error): void;
}

/** A reload that ends when the test says so. */
function createScriptedReload() {
  const runs: Run[] = [];
  const reload = (runSignal: AbortSignal) =>
    new Promise<void>((resolve, reject) => runs.push({ signal: runSignal, end: resolve, fail: reject }));
  const run = (at: number): Run => {
    const found = runs[at];
    if (found === undefined) throw new Error(`reload ${at} has not started`);
    return found;
  };
  return { reload, run, count: () => runs.length };
}

/** Lets everything happen that is ready to happen. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function track(work: Promise<void>): { state: 'waiting' | 'done' | 'failed' } {
  const tracked: { state: 'waiting' | 'done' | 'failed' } = { state: 'waiting' };
  work.then(
    () => {
      tracked.state = 'done';
    },
    () => {
      tracked.state = 'failed';
    },
  );
  return tracked;
}

describe('reloads of one target', () => {
  it('start at once the first time', async () => {
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, createManualClock());
    const done = reloads.request(signal);
    expect(scripted.count()).toBe(1);
    scripted.run(0).end();
    await done;
  });

  it('never count for a switch that happened after they started', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    const before = track(reloads.request(signal));
    const during = track(reloads.request(signal));
    scripted.run(0).end();
    await settled();
    expect([before.state, during.state]).toEqual(['done', 'waiting']);

    clock.advance(10_000);
    scripted.run(1).end();
    await settled();
    expect(during.state).toBe('done');
  });

  it('are shared by all who ask in between, and start at most every 10 s', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    reloads.request(signal);
    scripted.run(0).end();
    await settled();
    const asked = Array.from({ length: 50 }, () => track(reloads.request(signal)));

    clock.advance(9_999);
    await settled();
    expect(scripted.count()).toBe(1);
    clock.advance(1);
    expect(scripted.count()).toBe(2);
    scripted.run(1).end();
    await settled();
    expect(asked.every((one) => one.state === 'done')).toBe(true);

    clock.advance(60_000);
    reloads.request(signal);
    expect(scripted.count()).toBe(3);
  });

  it('run one at a time, however long one takes', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    reloads.request(signal);
    const second = track(reloads.request(signal));
    clock.advance(25_000);
    await settled();
    expect(scripted.count()).toBe(1);

    scripted.run(0).end();
    await settled();
    expect(scripted.count()).toBe(2);
    scripted.run(1).end();
    await settled();
    expect(second.state).toBe('done');
  });

  it('that fail are reported to those they were for, and the next ones go on', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    const first = reloads.request(signal);
    const second = reloads.request(signal);
    scripted.run(0).fail(new Error('syntax error in configuration'));
    await expect(first).rejects.toThrow('syntax error');
    clock.advance(10_000);
    scripted.run(1).end();
    await second;
  });

  it('are not held up by a clock that was set back', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    reloads.request(signal);
    clock.advance(-86_400_000);
    reloads.request(signal);
    scripted.run(0).end();
    await settled();
    expect(scripted.count()).toBe(2);
  });

  it('that nobody waits for any more are stopped, or not started', async () => {
    const clock = createManualClock();
    const scripted = createScriptedReload();
    const reloads = createReloads(scripted.reload, clock);
    const [one, two, later] = [new AbortController(), new AbortController(), new AbortController()];
    const first = track(reloads.request(one.signal));
    one.abort(new Error('shutting down'));
    await settled();
    expect(first.state).toBe('failed');
    expect(scripted.run(0).signal.aborted).toBe(true);
    scripted.run(0).fail(new Error('killed'));
    await settled();

    const second = track(reloads.request(two.signal));
    two.abort(new Error('shutting down'));
    await settled();
    expect(second.state).toBe('failed');
    clock.advance(10_000);
    await settled();
    expect(scripted.count()).toBe(1);

    const third = reloads.request(later.signal);
    expect(scripted.run(1).signal.aborted).toBe(false);
    scripted.run(1).end();
    await third;
  });
});
