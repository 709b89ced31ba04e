import { setMaxListeners } from 'node:events';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../../src/core/provider.ts';
import { fly } from '../../src/dns/flight.ts';
import { createLimits } from '../../src/dns/limits.ts';
import type { Throttle } from '../../src/dns/throttle.ts';
import { createVendor } from '../../src/dns/vendor.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createMemoryLog, createMemoryStore } from '../support/memory.ts';
import { hastyClock } from '../support/plugin-context.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);

/**
 * As the engine does, by the engine's own parts: never more at once than the traits allow, again after haste and
 * conflicts. Its limits apart: the tests have no day. Fails with the first refused change.
 */
export async function applyChunked(
  provider: DnsProvider,
  zone: ZoneRef,
  changes: readonly TxtChange[],
): Promise<void> {
  const landings = await fly(changes, provider.traits.batch, (chunk) =>
    callAsEngine((signal) => provider.apply(zone, chunk, signal)),
  );
  for (const landing of landings) if (!landing.ok) throw landing.error;
}

/** One call with the engine's patience; pauses are short. */
export function callAsEngine<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { buckets } = createMemoryStore();
  const clock = skippingClock();
  const metrics = createMetrics({ clock: systemClock, log: createMemoryLog() });
  // Its memory of complaints apart: the tests have no time to be slow.
  const throttle: Throttle = { share: async () => 1, tighten: async () => {} };
  const limits = createLimits({ buckets, throttle, metrics, clock });
  const vendor = createVendor({ limits, metrics, clock, log: createMemoryLog() });
  return vendor.call({ account: 'test', for: 'apply', changes: 0, rate: [] }, run, never);
}

/** Whoever sleeps wakes up early, and it is later by then. */
function skippingClock(): Clock {
  let skippedMs = 0;
  return {
    ...hastyClock,
    now: () => systemClock.now() + skippedMs,
    sleep: async (ms, signal) => {
      const since = systemClock.now();
      await hastyClock.sleep(ms, signal);
      skippedMs += Math.max(0, Math.ceil(ms - (systemClock.now() - since)));
    },
  };
}

/** All tests use one name at a time, so that any serialisation means one after another. */
export function createTurns(traits: ProviderTraits): (run: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (run) => {
    if (traits.serialize === 'none') return run();
    last = last.then(run);
    return last;
  };
}
