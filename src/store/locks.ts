import { randomBytes, randomInt } from 'node:crypto';
import { AgentError, isAgentError } from '../core/errors.ts';
import type { Lock, Locks } from '../core/ports.ts';
import type { Base } from './base.ts';
import type { Hints } from './pubsub.ts';
import { defineScript, runScript } from './script.ts';

/** Random numbers below it tell locks apart that were given the same count; a number stays exact for 8 billion locks. */
const salts = 2 ** 20;

/**
 * KEYS: lock, counter of fencing numbers. ARGV: random token, milliseconds, salt. Number of the lock, or 0 if it is held.
 * The salt is for a Redis that forgot its last counts in a crash or failover, and gives them again.
 */
const acquireScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local number = redis.call('INCR', KEYS[2]) * ${salts} + tonumber(ARGV[3])
redis.call('SET', KEYS[1], string.format('%.0f', number) .. ':' .. ARGV[1], 'PX', ARGV[2])
return number
`);

/** KEYS: lock. ARGV: value, milliseconds. */
const extendScript = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`);

/** KEYS: lock. ARGV: value, channel, name. */
const releaseScript = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`);

/** A waiter looks again at least this often: a holder may die, and a hint may be lost. */
const pollMs = 1_000;

/**
 * Locks with a random token and a fencing number that only grows. A commit fenced by a lock succeeds only while that
 * very lock is held, so a worker that slept through its lock cannot write any more.
 */
export function createLocks(base: Base, hints: Hints): Locks {
  const { link, keys, clock } = base;

  async function tryAcquire(name: string, ttlMs: number): Promise<Lock | undefined> {
    const token = randomBytes(12).toString('base64url');
    const input = { keys: [keys.lock(name), keys.fence], args: [token, ttlMs, randomInt(salts)] };
    const askedAt = clock.now();
    const number = Number(await link.run((client) => runScript(client, acquireScript, input)));
    return number === 0
      ? undefined
      : hold({ name, number, value: `${number}:${token}`, ttlMs, askedAt }, base);
  }

  async function acquire(name: string, ttlMs: number, signal: AbortSignal): Promise<Lock> {
    signal.throwIfAborted();
    const first = await tryAcquire(name, ttlMs);
    if (first !== undefined) return first;
    let wake = () => {};
    const stop = hints.listen(keys.releasedChannel, (released) => {
      if (released === name) wake();
    });
    try {
      for (;;) {
        const pause = new AbortController();
        wake = () => pause.abort();
        const lock = await tryAcquire(name, ttlMs);
        if (lock !== undefined) return lock;
        await clock.sleep(pollMs, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
        signal.throwIfAborted();
      }
    } finally {
      stop();
    }
  }

  return { tryAcquire, acquire };
}

interface Holding {
  readonly name: string;
  readonly number: number;
  readonly value: string;
  readonly ttlMs: number;
  readonly askedAt: number;
}

/** Extends the lock every third of its life. It counts as lost when Redis says so, or did not answer for its whole life. */
function hold({ name, number, value, ttlMs, askedAt }: Holding, { link, keys, clock, log }: Base): Lock {
  const lost = new AbortController();
  const key = keys.lock(name);
  let safeUntil = askedAt + ttlMs;
  let isOver = false;
  let cancel = clock.after(ttlMs / 3, beat);

  function lose(): void {
    isOver = true;
    lost.abort(new AgentError('store.fenced', `the lock "${name}" was lost`));
    log.warn({ lock: name }, 'lock lost');
  }

  async function beat(): Promise<void> {
    const isHeld = await extend();
    if (isOver) return;
    if (!isHeld) return lose();
    cancel = clock.after(Math.max(1, Math.min(ttlMs / 3, safeUntil - clock.now())), beat);
  }

  async function extend(): Promise<boolean> {
    const beganAt = clock.now();
    try {
      const input = { keys: [key], args: [value, ttlMs] };
      const answer = await link.run((client) => runScript(client, extendScript, input));
      safeUntil = beganAt + ttlMs;
      return answer === 1;
    } catch (err) {
      log.debug({ lock: name, err }, 'lock not extended');
      return clock.now() < safeUntil;
    }
  }

  async function release(): Promise<void> {
    cancel();
    if (isOver) return;
    isOver = true;
    const input = { keys: [key], args: [value, keys.releasedChannel, name] };
    try {
      await link.run((client) => runScript(client, releaseScript, input));
    } catch (error) {
      // It expires by itself; a caller that has done its work must not fail for this.
      if (!isAgentError(error, 'store.unavailable')) throw error;
      log.warn({ lock: name, err: error }, 'lock not released; it expires by itself');
    }
  }

  return { lock: name, number, signal: lost.signal, release };
}
