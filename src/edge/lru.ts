export interface LruLimits {
  readonly most: number;
  /** Of all weights together. */
  readonly mostWeight: number;
}

/** Keeps what was used last. */
export interface Lru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, weight: number): void;
  delete(key: string): void;
  entries(): Iterable<readonly [key: string, value: V]>;
  readonly size: number;
  readonly weight: number;
}

/** One too heavy for the whole is not kept. */
export function createLru<V>({ most, mostWeight }: LruLimits): Lru<V> {
  const held = new Map<string, { readonly value: V; readonly weight: number }>();
  let weight = 0;

  function remove(key: string): void {
    weight -= held.get(key)?.weight ?? 0;
    held.delete(key);
  }

  return {
    get: (key) => {
      const found = held.get(key);
      if (found === undefined) return undefined;
      held.delete(key);
      held.set(key, found);
      return found.value;
    },
    set: (key, value, own) => {
      remove(key);
      held.set(key, { value, weight: own });
      weight += own;
      // A map yields its keys in the order in which they were set.
      for (const oldest of held.keys()) {
        if (held.size <= most && weight <= mostWeight) break;
        remove(oldest);
      }
    },
    delete: remove,
    *entries() {
      for (const [key, { value }] of held) yield [key, value] as const;
    },
    get size() {
      return held.size;
    },
    get weight() {
      return weight;
    },
  };
}
