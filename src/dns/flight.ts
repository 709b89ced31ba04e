import type { ProviderTraits, TxtChange } from '../core/provider.ts';
import { type Apply, flyBatch, flyInTurn, type Landing } from './bisection.ts';
import { chunksOf } from './chunks.ts';

/**
 * Brings changes to one zone in as few calls as the vendor's batches allow, one after the other; one landing a change, in
 * order. What failed as a call (credentials, vendor down) is not tried with the next batch.
 */
export async function fly(
  changes: readonly TxtChange[],
  batch: ProviderTraits['batch'],
  apply: Apply,
): Promise<readonly Landing[]> {
  const { landings } = await flyInTurn(chunksOf(changes, batch), (chunk) => flyBatch(chunk, apply, batch));
  return landings;
}
