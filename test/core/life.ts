import type { Handler } from '../../jobs/define.ts';
import type { DueEntry, DueJob, Instant } from '../../src/core/types.ts';
import type { Again } from '../../src/core/wait.ts';
import { minute } from './given.ts';
import type { CheapWorld } from './world.ts';

export type Life = Pick<CheapWorld, 'run' | 'handle' | 'work' | 'live' | 'pass' | 'held'>;

/** Time, and the work that gets due in it, as tick and workers would do it. */
export function createLife(
  parts: Pick<CheapWorld, 'clock' | 'gate' | 'store'> & {
    readonly handlers: Readonly<Record<DueJob, Handler>>;
    readonly woken: { job: DueJob; id: string }[];
  },
): Life {
  const { clock, gate, store, handlers, woken } = parts;
  const held: number[] = [];

  async function run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    const limit = clock.trueNow() + 2 * 60 * minute;
    for (;;) {
      await gate.idle();
      if (isDone) return work;
      const at = clock.next();
      if (at === undefined || at > limit) throw new Error('the work waits for something that never comes');
      clock.moveTo(at);
    }
  }

  async function pass(ms: number): Promise<void> {
    const end = clock.trueNow() + ms;
    for (;;) {
      await gate.idle();
      const at = clock.next();
      if (at === undefined || at > end) break;
      clock.moveTo(at);
    }
    clock.moveTo(end);
    await gate.idle();
  }

  /** As the worker does it: the instant goes to the due index. */
  async function handle(job: DueJob, id: string): Promise<Again | undefined> {
    const since = clock.trueNow();
    const again = await run(handlers[job](id, new AbortController().signal));
    held.push(clock.trueNow() - since);
    if (again !== undefined) await store.changes.commit({ due: [{ job, id, at: again.again }] });
    return again;
  }

  async function work(): Promise<readonly string[]> {
    const done: string[] = [];
    let entries: readonly Pick<DueEntry, 'job' | 'id'>[] = await store.due.next(clock.now(), 1000);
    while (entries.length + woken.length > 0 && done.length < 500) {
      const jobs = new Map([...entries, ...woken.splice(0)].map((one) => [`${one.job} ${one.id}`, one]));
      for (const [name, { job, id }] of jobs) {
        // A job that waits already is woken, not added.
        woken.splice(0, woken.length, ...woken.filter((one) => one.job !== job || one.id !== id));
        await handle(job, id);
        done.push(name);
      }
      entries = [];
    }
    return done;
  }

  async function live(ms: number): Promise<void> {
    const end = clock.now() + ms;
    for (;;) {
      await work();
      const [earliest] = await store.due.next(Number.MAX_SAFE_INTEGER, 1);
      if (earliest === undefined || earliest.at > end) break;
      // What is due again at once comes with the next tick.
      const at: Instant = earliest.at > clock.now() ? earliest.at : clock.now() + minute;
      if (at > end) break;
      await pass(at - clock.now());
    }
    if (end > clock.now()) await pass(end - clock.now());
  }

  return { run, pass, handle, work, live, held };
}
