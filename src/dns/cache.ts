import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';

export interface Fresh<T> {
  readonly value: T;
  readonly ttlMs: number;
}

export interface Cache<T> {
  /** What is cached under `key`, else what `load` finds; callers at the same time share one load. A failure is not kept. */
  get(key: string, load: () => Promise<Fresh<T>>): Promise<T>;
  forget(key: string): void;
}

interface Slot<T> {
  readonly value: Promise<T>;
  /** undefined: still loading. */
  until: Instant | undefined;
}

/** Above this many, those whose time is over are swept. */
const roomy = 1000;

export function createCache<T>(clock: Clock): Cache<T> {
  const slots = new Map<string, Slot<T>>();

  function get(key: string, load: () => Promise<Fresh<T>>): Promise<T> {
    const kept = slots.get(key);
    if (kept !== undefined && (kept.until === undefined || clock.now() < kept.until)) return kept.value;
    if (slots.size > roomy) sweep();
    const loading = load();
    const slot: Slot<T> = { value: loading.then(({ value }) => value), until: undefined };
    slots.set(key, slot);
    loading.then(
      ({ ttlMs }) => {
        slot.until = clock.now() + ttlMs;
      },
      () => {
        if (slots.get(key) === slot) slots.delete(key);
      },
    );
    return slot.value;
  }

  function sweep(): void {
    const now = clock.now();
    for (const [key, { until }] of slots) if (until !== undefined && until <= now) slots.delete(key);
  }

  return { get, forget: (key) => void slots.delete(key) };
}
