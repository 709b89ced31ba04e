import { type AffectedNeeds, placesBound } from '../deploy/affected.ts';
import { acquireInTime, bindingsLock } from '../locks.ts';
import type { Lock, Ports } from '../ports.ts';
import type { Binding, LineageId, NewEvent } from '../types.ts';

export type BindNeeds = AffectedNeeds & Pick<Ports, 'changes' | 'jobs' | 'locks' | 'clock' | 'log'>;

const lockMs = 30_000;

/** Nobody binds, unbinds or deletes what could be bound while `work` looks and writes. */
export async function withBindings<T>(
  needs: Pick<Ports, 'locks' | 'clock'>,
  work: (fence: Lock) => Promise<T>,
): Promise<T> {
  const wait = { name: bindingsLock, ttlMs: lockMs, waitMs: lockMs, busy: 'another change of the bindings' };
  const lock = await acquireInTime(wait, needs);
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}

/** What is bound anew, and what is bound no more; for the trail who asked. */
export interface Rebinding {
  readonly put: readonly Binding[];
  /** As they are stored. */
  readonly remove: readonly Binding[];
  /** Domain in whose name people are told of the change, by lineage. */
  readonly domainOf: (lineage: LineageId) => string | undefined;
  readonly requestedBy?: string | undefined;
}

/** Writes it, and has everything deployed that may show it. Under the lock of the bindings. */
export async function rebind(
  { put, remove, domainOf, requestedBy }: Rebinding,
  fence: Lock,
  needs: BindNeeds,
): Promise<void> {
  const now = needs.clock.now();
  const names = [...new Set([...put, ...remove].map(({ name }) => name))];
  const due = await placesBound(names, now, needs);
  const event = (change: 'bound' | 'unbound', { name, lineages }: Binding): NewEvent => {
    const [lineage = ''] = lineages;
    const facts = { change, name, lineages, requestedBy };
    return { type: 'binding.changed', domain: domainOf(lineage), lineage, facts };
  };
  const gone = remove.filter(({ name }) => !put.some((one) => one.name === name));
  await needs.changes.commit({
    fence,
    removeBindings: remove,
    putBindings: put,
    due,
    events: [...put.map((one) => event('bound', one)), ...gone.map((one) => event('unbound', one))],
    durable: true,
  });
  needs.log.info(
    { bound: put.map(({ name }) => name), unbound: gone.map(({ name }) => name) },
    'bindings changed',
  );
  await needs.jobs.wake('deploy', [...new Set(due.map(({ id }) => id))]);
}
