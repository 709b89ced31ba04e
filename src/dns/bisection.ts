import { type AgentError, toAgentError } from '../core/errors.ts';
import type { ApplyResult, TxtChange } from '../core/provider.ts';

/** What became of one change. */
export type Landing =
  | { readonly ok: true; readonly handle?: string | undefined; readonly ticket?: string | undefined }
  | { readonly ok: false; readonly error: AgentError };

/** One call to the vendor with all its patience; rejects with AgentError. */
export type Apply = (changes: readonly TxtChange[]) => Promise<ApplyResult>;

export interface Landed {
  /** One a change, in order. */
  readonly landings: readonly Landing[];
  /** A call failed for a reason that has nothing to do with its changes: the next one would fail as well. */
  readonly fault?: AgentError | undefined;
}

/**
 * Brings one batch to the vendor. Where a batch is all or nothing, a refused one is halved until the bad changes are left
 * alone with the refusal, and all others are in.
 */
export async function flyBatch(
  batch: readonly TxtChange[],
  apply: Apply,
  { atomic }: { readonly atomic: boolean },
): Promise<Landed> {
  try {
    const { outcomes, ticket } = await apply(batch);
    return { landings: batch.map((_, index) => landingOf(outcomes[index], ticket)) };
  } catch (cause) {
    const error = toAgentError(cause);
    const refused = error.code === 'provider.invalid' || error.code === 'provider.forbidden';
    if (!refused) return { landings: allFailed(batch, error), fault: error };
    if (!atomic || batch.length === 1) return { landings: allFailed(batch, error) };
    const middle = Math.ceil(batch.length / 2);
    return flyInTurn([batch.slice(0, middle), batch.slice(middle)], (half) =>
      flyBatch(half, apply, { atomic }),
    );
  }
}

/** Batches one after the other; after a fault the rest is not tried. */
export async function flyInTurn(
  batches: readonly (readonly TxtChange[])[],
  flyOne: (batch: readonly TxtChange[]) => Promise<Landed>,
): Promise<Landed> {
  const landings: Landing[] = [];
  let fault: AgentError | undefined;
  for (const batch of batches) {
    const landed: Landed =
      fault === undefined ? await flyOne(batch) : { landings: allFailed(batch, fault), fault };
    landings.push(...landed.landings);
    fault = landed.fault;
  }
  return { landings, fault };
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

function allFailed(batch: readonly TxtChange[], error: AgentError): readonly Landing[] {
  return batch.map(() => ({ ok: false, error }));
}
