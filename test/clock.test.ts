import { expect, test, vi } from 'vitest';
import { systemClock } from '../src/clock.ts';

const thirtyDays = 30 * 86_400_000;

test('the clock tells the time of the machine', () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});

test('a sleep ends after its time', async () => {
  const start = systemClock.now();
  await systemClock.sleep(30);
  expect(systemClock.now() - start).toBeGreaterThanOrEqual(25);
});

test('a sleep ends at once with the reason of the signal that aborts it', async () => {
  const controller = new AbortController();
  const sleeping = systemClock.sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
  await expect(systemClock.sleep(60_000, controller.signal)).rejects.toThrow('enough');
});

test('what is to run later runs once, and not at all when cancelled', async () => {
  let runs = 0;
  const cancel = systemClock.after(10, () => {
    runs += 100;
  });
  systemClock.after(10, () => {
    runs += 1;
  });
  cancel();
  await systemClock.sleep(60);
  expect(runs).toBe(1);
});

test('a wait longer than a timer of Node can be is kept to the end', () => {
  vi.useFakeTimers();
  let runs = 0;
  systemClock.after(thirtyDays, () => {
    runs += 1;
  });
  const cancel = systemClock.after(thirtyDays, () => {
    runs += 100;
  });
  vi.advanceTimersByTime(thirtyDays - 1);
  expect(runs).toBe(0);
  cancel();
  vi.advanceTimersByTime(1);
  expect(runs).toBe(1);
  vi.useRealTimers();
});
