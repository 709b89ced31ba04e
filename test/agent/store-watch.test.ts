import { expect, it } from 'vitest';
import { watchStore } from '../../src/agent/store-watch.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Notice } from '../../src/core/ports.ts';
import { createManualClock, quiet } from '../deploy/fixture.ts';

const away = async () => {
  throw new AgentError('store.unavailable', 'connection refused');
};

function notifierTo(send: (notices: readonly Notice[]) => Promise<void>) {
  return { name: 'mail', digest: true, send };
}

/** Whose time can be moved on, minute by minute. */
function watchWith(notifiers: readonly ReturnType<typeof notifierTo>[], ping: () => Promise<void>) {
  const clock = createManualClock();
  const watch = watchStore({
    ping,
    address: 'redis://127.0.0.1:1',
    notifiers: () => ({ get: () => notifiers[0], all: () => notifiers }),
    clock,
    log: quiet,
  });
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute++) {
      clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { minutes, stop: watch.stop };
}

it('tells the notifiers directly, once, when the store has been away for fifteen minutes', async () => {
  const sent: Notice[] = [];
  let isAway = true;
  const notifier = notifierTo(async (notices) => void sent.push(...notices));
  const { minutes, stop } = watchWith([notifier], async () => {
    if (isAway) await away();
  });
  await minutes(15);
  expect(sent).toEqual([]);
  await minutes(10);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.message).toBe(
    'Redis at redis://127.0.0.1:1 has not answered for 15 minutes: connection refused',
  );
  isAway = false;
  await minutes(1);
  isAway = true;
  await minutes(20);
  expect(sent).toHaveLength(2);
  await stop();
});

it('tells at the second look that Redis no longer holds the store', async () => {
  const sent: Notice[] = [];
  const notifier = notifierTo(async (notices) => void sent.push(...notices));
  const { minutes, stop } = watchWith([notifier], async () => {
    throw new AgentError('store.lost', 'Redis at redis://127.0.0.1:1 was emptied');
  });
  await minutes(1);
  expect(sent).toEqual([]);
  await minutes(5);
  expect(sent).toMatchObject([{ code: 'store.lost', message: 'Redis at redis://127.0.0.1:1 was emptied' }]);
  await stop();
});

it('a notifier that hangs keeps neither the others nor the next look waiting', async () => {
  const sent: Notice[] = [];
  const hanging = notifierTo(() => new Promise(() => {}));
  const sound = notifierTo(async (notices) => void sent.push(...notices));
  let looks = 0;
  const { minutes, stop } = watchWith([hanging, sound], async () => {
    looks++;
    await away();
  });
  await minutes(18);
  expect(sent).toHaveLength(1);
  const before = looks;
  await minutes(2);
  expect(looks).toBe(before + 2);
  await stop();
});
