import { type Holdings, hasPlace, readHoldings, showingOf } from '../core/deploy/holdings.ts';
import { chosenFor } from '../core/deploy/showing.ts';
import { type HeldLineage, heldOf } from '../core/held-lineages.ts';
import { decide } from '../core/renewal/decide.ts';
import type { Domain, Instant, KeyType, Lineage, LineageId, LineageSource } from '../core/types.ts';
import { isExpiring } from '../core/uploads/expiring.ts';
import type { OperationNeeds } from './define.ts';
import { type Placing, placingOf, viewOf } from './targets.ts';

/**
 * ok: valid, seen at all its targets, nothing to do · renewing: an order is due or under way · failing: the last attempt
 * failed, the certificate (if there is one) still holds · undeployed: a target does not show it yet · deploy-failing: nor
 * could it be deployed there · expired: no longer valid · self-signed: our stand-in, for want of a trusted one ·
 * revoked: its CA does not stand by it any more · expiring: an upload whose successor a person must see to · unwanted:
 * nobody asks for it any more.
 */
export const certificateStates = [
  'ok',
  'renewing',
  'failing',
  'undeployed',
  'deploy-failing',
  'self-signed',
  'expired',
  'expiring',
  'revoked',
  'unwanted',
] as const;

export type CertificateState = (typeof certificateStates)[number];

/** One line of `certs list`. */
export interface CertificateRow {
  readonly id: string;
  readonly domain: string;
  readonly names: readonly string[];
  readonly source: LineageSource;
  readonly state: CertificateState;
  /** Absent: nothing was issued yet. */
  readonly expiresAt?: Instant | undefined;
  readonly issuer?: string | undefined;
  readonly keyType: KeyType;
  readonly serial?: string | undefined;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint?: string | undefined;
  readonly notBefore?: Instant | undefined;
}

type OverviewNeeds = Pick<
  OperationNeeds,
  'certificates' | 'renewals' | 'wishes' | 'bindings' | 'issuances' | 'deployments' | 'clock'
>;

/** All that is held for one domain or for all, ordered by id; a fallback only where it is wanted, or with `all`. */
export async function overview(
  domain: string | undefined,
  needs: OverviewNeeds,
  all = false,
): Promise<readonly CertificateRow[]> {
  const [lineages, underWay] = await Promise.all([
    needs.certificates.lineages(domain),
    needs.issuances.all(),
  ]);
  const held = await heldOf(lineages, needs);
  const places = await placesOf(held, needs);
  const now = needs.clock.now();
  const standIns = new Set([...places.values()].flatMap(({ standIn }) => standIn ?? []));
  const ordering = new Set(underWay);
  return held
    .filter(({ lineage: { source, id } }) => all || source !== 'self-signed' || standIns.has(id))
    .map((one) => {
      const { id } = one.lineage;
      return toRow(one, { isOrdering: ordering.has(id), placing: places.get(id)?.placing ?? 'done', now });
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** How far the targets are, and the fallback that they show for want of something better. */
interface PlaceState {
  readonly placing: Placing;
  readonly standIn?: LineageId | undefined;
}

/** By the id of each lineage that has a place at the targets of its domain. */
async function placesOf(
  held: readonly HeldLineage[],
  needs: OverviewNeeds,
): Promise<ReadonlyMap<LineageId, PlaceState>> {
  const [domains, bindings] = await Promise.all([needs.wishes.domains(), needs.bindings.all()]);
  const found = new Map<LineageId, PlaceState>();
  for (const domain of domains) {
    const own = held.filter(({ lineage }) => lineage.domain === domain.name);
    const holdings = await readHoldings(domain, { held: own, bindings }, needs);
    for (const { lineage } of own)
      if (await hasPlace(lineage, domain, needs))
        found.set(lineage.id, await placeState(lineage, { domain, holdings }, needs));
  }
  return found;
}

async function placeState(
  lineage: Lineage,
  { domain, holdings }: { readonly domain: Domain; readonly holdings: Holdings },
  { deployments, clock }: Pick<OverviewNeeds, 'deployments' | 'clock'>,
): Promise<PlaceState> {
  const wanted = chosenFor(showingOf(lineage, holdings), clock.now())?.candidate.certificate;
  const seen = await deployments.of(lineage.id);
  const views = domain.deploy.map((target) => viewOf(target, { wanted, deployments: seen }));
  const isStandIn = wanted?.source === 'self-signed';
  // Only a certificate that visitors wait for makes it undeployed.
  return {
    placing: placingOf(isStandIn ? undefined : wanted, views),
    standIn: isStandIn ? wanted.lineage : undefined,
  };
}

/** What is known of a certificate beside its own record. */
export interface Circumstances {
  readonly isOrdering: boolean;
  readonly placing: Placing;
  readonly now: Instant;
}

/** The gravest first: what visitors see now before what will come to pass. */
export function stateOf(held: HeldLineage, { isOrdering, placing, now }: Circumstances): CertificateState {
  const { lineage, state, certificate } = held;
  if (lineage.source === 'self-signed') return 'self-signed';
  if (lineage.unwantedSince !== undefined) return 'unwanted';
  if (certificate !== undefined && certificate.notAfter <= now) return 'expired';
  if (certificate !== undefined && state.revokedAt !== undefined) return 'revoked';
  if (certificate === undefined && state.failures > 0) return 'failing';
  if (placing === 'failing') return 'deploy-failing';
  if (state.failures > 0) return 'failing';
  if (placing === 'waiting') return 'undeployed';
  if (lineage.source === 'upload')
    return isExpiring({ lineage, certificate, state, now }) ? 'expiring' : 'ok';
  const isDue = state.requested !== undefined || decide({ lineage, certificate, state, now }) !== undefined;
  return isOrdering || isDue ? 'renewing' : 'ok';
}

function toRow(held: HeldLineage, at: Circumstances): CertificateRow {
  const { lineage, certificate } = held;
  return {
    id: lineage.id,
    domain: lineage.domain,
    names: certificate?.names ?? lineage.wanted.names,
    source: lineage.source,
    state: stateOf(held, at),
    expiresAt: certificate?.notAfter,
    issuer: certificate === undefined ? undefined : (certificate.issuer ?? certificate.issuerName),
    keyType: certificate?.keyType ?? lineage.wanted.keyType,
    serial: certificate?.serial,
    fingerprint: certificate?.fingerprint,
    notBefore: certificate?.notBefore,
  };
}
