import type { HeldLineage } from '../core/held-lineages.ts';
import { sameNames } from '../core/names.ts';
import type { OrderIntent } from '../core/ports.ts';
import { configuredIssuers } from '../core/renewal/failover.ts';
import type { Instant, Settings } from '../core/types.ts';

/** Names of one certificate, held or to be. */
export interface Wish {
  readonly names: readonly string[];
  readonly issuers: readonly string[];
  readonly held?: HeldLineage | undefined;
}

export function wishOf(held: HeldLineage, settings: Settings): Wish {
  const { lineage } = held;
  return { names: lineage.wanted.names, issuers: configuredIssuers(lineage, settings), held };
}

/** As the next order will present itself to the CA. */
export function intentOf({ names, held }: Wish, issuer: string, now: Instant): OrderIntent {
  const { certificate, state } = held ?? {};
  const isOwn = certificate?.issuer === issuer;
  const { window } = state ?? {};
  const isInside = window !== undefined && now >= window.start && now < window.end;
  return {
    issuer,
    names,
    isAdvised: isOwn && certificate.ariCertId !== undefined && isInside,
    lastIssuedAt: isOwn && sameNames(certificate.names, names) ? certificate.issuedAt : undefined,
    urgent: false,
  };
}
