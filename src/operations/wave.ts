import type { HeldLineage } from '../core/held-lineages.ts';
import { decide, type Reason } from '../core/renewal/decide.ts';
import type { Instant, LineageId } from '../core/types.ts';

/** Why a lineage is part of a wave: what the rules say, because its last attempts failed, or only because all are. */
export type WaveReason = Reason | 'failed' | 'forced';

/** One step of a wave. */
export interface WaveStep {
  readonly lineage: LineageId;
  readonly domain: string;
  readonly names: readonly string[];
  readonly reason: WaveReason;
  /** Absent: there is no certificate yet. */
  readonly expiresAt?: Instant | undefined;
}

interface Candidate {
  readonly held: HeldLineage;
  readonly reason: WaveReason;
  readonly tier: number;
}

/**
 * What a wave renews and in which order. Pure. Three tiers: what has no valid certificate, what is due or failed, the
 * rest. Within a tier the domains take turns, and each domain gives what expires first.
 */
export function planWave(
  held: readonly HeldLineage[],
  { force, now }: { force: boolean; now: Instant },
): readonly { readonly step: WaveStep; readonly held: HeldLineage }[] {
  const candidates = held.flatMap((one) => candidate(one, { force, now }) ?? []);
  return [0, 1, 2]
    .flatMap((tier) => interleaved(candidates.filter((one) => one.tier === tier)))
    .map(({ held: one, reason }) => ({ held: one, step: toStep(one, reason) }));
}

function candidate(
  held: HeldLineage,
  { force, now }: { force: boolean; now: Instant },
): Candidate | undefined {
  const { lineage, certificate, state } = held;
  if (lineage.source !== 'acme' || lineage.unwantedSince !== undefined) return undefined;
  const reason = decide({ lineage, certificate, state, now }) ?? (state.failures > 0 ? 'failed' : undefined);
  if (reason === undefined && !force) return undefined;
  const isServedInvalid =
    certificate === undefined || certificate.notAfter <= now || state.revokedAt !== undefined;
  const tier = isServedInvalid ? 0 : reason === undefined ? 2 : 1;
  return { held, reason: reason ?? 'forced', tier };
}

/** By turns: the most urgent of each domain, then the second of each, and so on. */
function interleaved(candidates: readonly Candidate[]): readonly Candidate[] {
  const turns = new Map<string, number>();
  return candidates
    .toSorted(byUrgency)
    .map((candidate) => {
      const { domain } = candidate.held.lineage;
      const turn = turns.get(domain) ?? 0;
      turns.set(domain, turn + 1);
      return { candidate, turn };
    })
    .toSorted((a, b) => a.turn - b.turn)
    .map(({ candidate }) => candidate);
}

function byUrgency(a: Candidate, b: Candidate): number {
  const expiry = ({ held }: Candidate) => held.certificate?.notAfter ?? 0;
  return expiry(a) - expiry(b) || (a.held.lineage.id < b.held.lineage.id ? -1 : 1);
}

function toStep({ lineage, certificate }: HeldLineage, reason: WaveReason): WaveStep {
  return {
    lineage: lineage.id,
    domain: lineage.domain,
    names: lineage.wanted.names,
    reason,
    expiresAt: certificate?.notAfter,
  };
}
