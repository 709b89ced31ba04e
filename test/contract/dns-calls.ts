import { expect } from 'vitest';
import type { DnsProvider, ProviderTraits, TxtChange, ZoneRef } from '../../src/core/provider.ts';

const signal = new AbortController().signal;

/** As the engine does: never more at once than the traits allow. Fails with the first refused change. */
export async function applyChunked(
  provider: DnsProvider,
  zone: ZoneRef,
  changes: readonly TxtChange[],
): Promise<void> {
  const { maxChanges, maxCost = Number.POSITIVE_INFINITY, costOf = () => 0 } = provider.traits.batch;
  let chunk: TxtChange[] = [];
  let cost = 0;
  const flush = async () => {
    if (chunk.length === 0) return;
    const { outcomes } = await provider.apply(zone, chunk, signal);
    expect(outcomes).toHaveLength(chunk.length);
    for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
    chunk = [];
    cost = 0;
  };
  for (const change of changes) {
    if (chunk.length === maxChanges || cost + costOf(change) > maxCost) await flush();
    chunk.push(change);
    cost += costOf(change);
  }
  await flush();
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
