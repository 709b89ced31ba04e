import { type AgentError, toAgentError } from '../core/errors.ts';
import type { ApplyResult, ProviderTraits, TxtChange } from '../core/provider.ts';

/** What became of one change. */
export type Landing =
  | { readonly ok: true; readonly handle?: string | undefined; readonly ticket?: string | undefined }
  | { readonly ok: false; readonly error: AgentError };

/** One call to the vendor with all its patience; rejects with AgentError. */
export type Apply = (changes: readonly TxtChange[]) => Promise<ApplyResult>;

/**
 * Brings changes to one zone in as few calls as the vendor's batches allow, one after the other; one landing a change, in
 * order. Where a batch is all or nothing, a refused one is halved until only the bad changes are left alone with it.
 */
export async function fly(
  changes: readonly TxtChange[],
  batch: ProviderTraits['batch'],
  apply: Apply,
): Promise<readonly Landing[]> {
  const landings: Landing[] = [];
  let fault: AgentError | undefined;
  for (const chunk of chunksOf(changes, batch)) {
    // What failed as a call (credentials, vendor down) would fail again.
    if (fault !== undefined) landings.push(...failed(chunk, fault));
    else {
      const landed = await flyChunk(chunk, batch, apply);
      landings.push(...landed.landings);
      fault = landed.fault;
    }
  }
  return landings;
}

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

async function flyChunk(
  chunk: readonly TxtChange[],
  batch: ProviderTraits['batch'],
  apply: Apply,
): Promise<{ readonly landings: readonly Landing[]; readonly fault?: AgentError | undefined }> {
  try {
    const { outcomes, ticket } = await apply(chunk);
    return { landings: chunk.map((_, index) => landingOf(outcomes[index], ticket)) };
  } catch (cause) {
    const error = toAgentError(cause);
    const refused = error.code === 'provider.invalid' || error.code === 'provider.forbidden';
    if (!refused) return { landings: failed(chunk, error), fault: error };
    if (!batch.atomic || chunk.length === 1) return { landings: failed(chunk, error) };
    const middle = Math.ceil(chunk.length / 2);
    const first = await flyChunk(chunk.slice(0, middle), batch, apply);
    if (first.fault !== undefined) {
      const rest = failed(chunk.slice(middle), first.fault);
      return { landings: [...first.landings, ...rest], fault: first.fault };
    }
    const second = await flyChunk(chunk.slice(middle), batch, apply);
    return { landings: [...first.landings, ...second.landings], fault: second.fault };
  }
}

function landingOf(
  outcome: ApplyResult['outcomes'][number] | undefined,
  ticket: string | undefined,
): Landing {
  if (outcome === undefined)
    return { ok: false, error: toAgentError(new Error('the DNS provider gave no outcome for a change')) };
  if (!outcome.ok) return { ok: false, error: toAgentError(outcome.error) };
  return { ok: true, handle: outcome.handle, ticket };
}

function failed(chunk: readonly TxtChange[], error: AgentError): readonly Landing[] {
  return chunk.map(() => ({ ok: false, error }));
}
