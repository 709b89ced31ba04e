import { expect, it } from 'vitest';
import { watchStore } from '../../src/agent/store-watch.ts';
import { AgentError } from '../../src/core/errors.ts';
import type { Notice } from '../../src/core/ports.ts';
import { createManualClock, quiet } from '../deploy/fixture.ts';

it('tells the notifiers directly, once, when the store has been away for fifteen minutes', async () => {
  const clock = createManualClock();
  const sent: Notice[] = [];
  let isAway = true;
  const notifier = {
    name: 'mail',
    digest: true,
    send: async (notices: readonly Notice[]) => {
      sent.push(...notices);
    },
  };
  const watch = watchStore({
    ping: async () => {
      if (isAway) throw new AgentError('store.unavailable', 'connection refused');
    },
    address: 'redis://127.0.0.1:1',
    notifiers: () => ({ get: () => notifier, all: () => [notifier] }),
    clock,
    log: quiet,
  });
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute++) {
      clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
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
  await watch.stop();
});
