import type { ProviderTraits, TxtChange } from '../core/provider.ts';

/** In the order given; a change that is too dear for any call gets one of its own. */
export function chunksOf(
  changes: readonly TxtChange[],
  { maxChanges, maxCost = Number.POSITIVE_INFINITY, costOf = () => 1 }: ProviderTraits['batch'],
): readonly (readonly TxtChange[])[] {
  const chunks: TxtChange[][] = [];
  let cost = 0;
  for (const change of changes) {
    const last = chunks.at(-1);
    const own = costOf(change);
    if (last === undefined || last.length >= maxChanges || cost + own > maxCost) {
      chunks.push([change]);
      cost = own;
    } else {
      last.push(change);
      cost += own;
    }
  }
  return chunks;
}
