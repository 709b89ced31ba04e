import { expect, test } from 'vitest';
import { bar, createProgress } from '../../src/cli/progress.ts';
import { createTerminal, task } from './fixture.ts';

const items = (states: readonly ('waiting' | 'done' | 'failed' | 'skipped')[]) =>
  states.map((state, index) => ({ id: `l${index}`, state, note: state === 'failed' ? 'no DNS' : undefined }));

test('the bar shows how many are settled, and what failed or was skipped', () => {
  const half = task(items(['done', 'failed', 'waiting', 'skipped', 'waiting', 'waiting']));
  expect(bar(half, 80)).toBe('[###############---------------] 3/6, 1 failed, 1 skipped');
  expect(bar(half, 40)).toBe('[######------] 3/6, 1 failed, 1 skipped');
  expect(bar(half, 20)).toBe('3/6, 1 failed, 1 skipped');
  expect(bar(task([]), 80)).toBe(`[${'#'.repeat(30)}] 0/0`);
});

test('on a screen one line is drawn again, only when something changed', () => {
  const terminal = createTerminal({ isInteractive: true });
  const progress = createProgress(terminal);
  progress.update(task(items(['waiting', 'waiting'])));
  progress.update(task(items(['waiting', 'waiting'])));
  progress.update(task(items(['done', 'waiting'])));
  progress.end();
  expect(terminal.stderr()).toBe(
    `\r[${'-'.repeat(30)}] 0/2\u001b[K\r[${'#'.repeat(15)}${'-'.repeat(15)}] 1/2\u001b[K\n`,
  );
  expect(terminal.stdout()).toBe('');
});

test('elsewhere each item is one line, when it is settled', () => {
  const terminal = createTerminal();
  const progress = createProgress(terminal);
  progress.update(task(items(['waiting', 'waiting', 'waiting'])));
  progress.update(task(items(['waiting', 'failed', 'waiting'])));
  progress.update(task(items(['done', 'failed', 'waiting'])));
  progress.end();
  expect(terminal.stderr()).toBe('1/3 failed l1\n2/3 done l0\n');
});
