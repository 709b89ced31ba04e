/** What a call does in place of the port; `proceed` is the port itself. */
export type Step = (proceed: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

/** Stands before every port of a world: counts its calls, lets a test step in, and plays the death of the process. */
export interface Gate {
  /** The same port; its asynchronous methods are calls `<name>.<method>`. */
  wrap<T extends object>(name: string, port: T): T;
  /** All calls so far. */
  readonly calls: readonly string[];
  /** The next call of this name does `step`; several wait their turn. */
  once(call: string, step: Step): void;
  /** Every call of this name does `step`, until undefined is given. */
  always(call: string, step: Step | undefined): void;
  /** The process dies at its n-th call from now: before it took effect, or before its answer came. */
  dieAt(count: number, when: 'before' | 'after'): void;
  readonly isDead: boolean;
  /** A new process takes over. */
  revive(): void;
  /** Within a call: it waits for something that takes time. */
  aside<T>(work: Promise<T>): Promise<T>;
  /** Work of the world outside, for which time must wait too. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Resolves once no call is under way: then only time can move anything. */
  idle(): Promise<void>;
}

export class Killed extends Error {}

export function failing(error: Error): Step {
  return async () => {
    throw error;
  };
}

/** The other side did its part, but the answer got lost. */
export function losingAnswer(error: Error): Step {
  return async (proceed) => {
    await proceed();
    throw error;
  };
}

export function createGate(onDeath: (error: Error) => void): Gate {
  const calls: string[] = [];
  const once = new Map<string, Step[]>();
  const always = new Map<string, Step>();
  const waiters: (() => void)[] = [];
  let underWay = 0;
  let isDead = false;
  let fate: { left: number; readonly when: 'before' | 'after' } | undefined;

  function die(): never {
    const error = new Killed('the process was killed');
    if (!isDead) {
      isDead = true;
      onDeath(error);
    }
    throw error;
  }

  async function call(
    name: string,
    port: () => Promise<unknown>,
    args: readonly unknown[],
  ): Promise<unknown> {
    if (isDead) die();
    calls.push(name);
    const isLast = fate !== undefined && --fate.left === 0;
    if (isLast && fate?.when === 'before') die();
    const step = once.get(name)?.shift() ?? always.get(name);
    const answer = await (step === undefined ? port() : step(port, args));
    if (isLast || isDead) die();
    return answer;
  }

  function leave(): void {
    underWay--;
    if (underWay === 0) for (const wake of waiters.splice(0)) wake();
  }

  async function track<T>(work: Promise<T>): Promise<T> {
    underWay++;
    try {
      return await work;
    } finally {
      leave();
    }
  }

  async function aside<T>(work: Promise<T>): Promise<T> {
    leave();
    try {
      return await work;
    } finally {
      underWay++;
      if (underWay === 0) for (const wake of waiters.splice(0)) wake();
    }
  }

  function wrap<T extends object>(name: string, port: T): T {
    return new Proxy(port, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function' || typeof key !== 'string') return value;
        return (...args: unknown[]) =>
          track(call(`${name}.${key}`, async () => Reflect.apply(value, target, args), args));
      },
    });
  }

  async function idle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (underWay === 0) continue;
      quiet = -1;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  }

  return {
    wrap,
    calls,
    once: (name, step) => void once.set(name, [...(once.get(name) ?? []), step]),
    always: (name, step) => void (step === undefined ? always.delete(name) : always.set(name, step)),
    dieAt: (count, when) => {
      fate = { left: count, when };
    },
    get isDead() {
      return isDead;
    },
    revive: () => {
      isDead = false;
      fate = undefined;
    },
    aside,
    track,
    idle,
  };
}
