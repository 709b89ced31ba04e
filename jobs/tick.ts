import { schedule } from 'node-cron';
import type { Ports } from '../src/core/ports.ts';
import { dueIndexChore } from '../src/core/renewal/due-index.ts';
import type { Queues } from './queue.ts';

export interface Tick {
  /** Looks once, at once. */
  now(): Promise<number>;
  stop(): Promise<void>;
}

const batch = 1000;

/**
 * Once a minute, on this agent's own second: adds what is due to the queues. Reads the due index only; a missed tick
 * or two agents that tick at once cost nothing.
 */
export function startTick(
  needs: Pick<Ports, 'due' | 'clock' | 'log'> & { readonly queues: Queues; readonly random: () => number },
): Tick {
  const { due, clock, log, queues, random } = needs;
  let running: Promise<number> = Promise.resolve(0);
  let lookedAt = clock.now();

  async function look(): Promise<number> {
    const now = clock.now();
    // The clock was set back: what it wrote before may lie far ahead.
    if (now < lookedAt) await queues.offer([{ job: 'upkeep', id: dueIndexChore, at: now }]);
    lookedAt = now;
    const entries = await due.next(now, batch * 100);
    for (let from = 0; from < entries.length; from += batch)
      await queues.offer(entries.slice(from, from + batch));
    if (entries.length > 0) log.debug({ entries: entries.length }, 'due work enqueued');
    return entries.length;
  }

  function now(): Promise<number> {
    running = running.catch(() => 0).then(look);
    return running;
  }

  const second = Math.floor(random() * 60);
  const task = schedule(
    `${second} * * * * *`,
    () => now().catch((err: unknown) => log.error({ err }, 'tick failed; the next one looks again')),
    { name: 'tick', noOverlap: true, timezone: 'UTC' },
  );

  async function stop(): Promise<void> {
    await task.destroy();
    await running.catch(() => 0);
  }

  return { now, stop };
}
