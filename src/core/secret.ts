const inspectSymbol = Symbol.for('nodejs.util.inspect.custom');

let watcher: ((value: unknown) => void) | undefined;

/**
 * A value that does not print: not in a log, a template string, JSON, an error or a debugger's console.
 * Call `reveal()` only where the value is used.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
    watcher?.(value);
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspectSymbol](): string {
    return '[secret]';
  }
}

export function secret<T>(value: T): Secret<T> {
  return new Secret(value);
}

/** Tells `see` each secret made from now on, so that a leak test knows what to look for. */
export function watchSecrets(see: ((value: unknown) => void) | undefined): void {
  watcher = see;
}
