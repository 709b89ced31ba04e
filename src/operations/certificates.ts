import { served } from '../core/deploy/fallback.ts';
import { type HeldLineage, heldOf } from '../core/held-lineages.ts';
import { fallbackId } from '../core/policies.ts';
import { decide } from '../core/renewal/decide.ts';
import type { Instant, KeyType, LineageSource } from '../core/types.ts';
import type { OperationNeeds } from './define.ts';
import { type Placing, placingOf, viewOf } from './targets.ts';

/**
 * ok: valid, seen at all its targets, nothing to do · renewing: an order is due or under way · failing: the last attempt
 * failed, the certificate (if there is one) still holds · undeployed: a target does not show it yet · deploy-failing: nor
 * could it be deployed there · expired: no longer valid · self-signed: our stand-in, for want of a trusted one ·
 * revoked: its CA
 * does not stand by it any more · unwanted: nobody asks for it any more.
 */
export type CertificateState =
  | 'ok'
  | 'renewing'
  | 'failing'
  | 'undeployed'
  | 'deploy-failing'
  | 'self-signed'
  | 'expired'
  | 'revoked'
  | 'unwanted';

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
}

/** All that is held for one domain or for all, ordered by id; a fallback only where it is wanted, or with `all`. */
export async function overview(
  domain: string | undefined,
  needs: Pick<OperationNeeds, 'certificates' | 'renewals' | 'wishes' | 'issuances' | 'deployments' | 'clock'>,
  all = false,
): Promise<readonly CertificateRow[]> {
  const [lineages, underWay] = await Promise.all([
    needs.certificates.lineages(domain),
    needs.issuances.all(),
  ]);
  const held = await heldOf(lineages, needs);
  const placings = await placingsOf(held, needs);
  const now = needs.clock.now();
  const fallbacks = fallbacksServed(held, now);
  const ordering = new Set(underWay);
  return held
    .filter(({ lineage: { source, id } }) => all || source !== 'self-signed' || fallbacks.has(id))
    .map((one) => {
      const { id } = one.lineage;
      return toRow(one, { isOrdering: ordering.has(id), placing: placings.get(id) ?? 'done', now });
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** By the id of each lineage that is deployed. */
async function placingsOf(
  held: readonly HeldLineage[],
  needs: Pick<OperationNeeds, 'wishes' | 'deployments'>,
): Promise<ReadonlyMap<string, Placing>> {
  const domains = new Map((await needs.wishes.domains()).map(({ name, deploy }) => [name, deploy]));
  const ordered = held.filter(({ lineage }) => lineage.source === 'acme');
  return new Map(
    await Promise.all(
      ordered.map(async ({ lineage, certificate: wanted }) => {
        const deployments = await needs.deployments.of(lineage.id);
        const targets = domains.get(lineage.domain) ?? [];
        const views = targets.map((target) => viewOf(target, { wanted, deployments }));
        return [lineage.id, placingOf(wanted, views)] as const;
      }),
    ),
  );
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
  if (lineage.source === 'upload') return 'ok';
  if (certificate !== undefined && state.revokedAt !== undefined) return 'revoked';
  if (certificate === undefined && state.failures > 0) return 'failing';
  if (placing === 'failing') return 'deploy-failing';
  if (state.failures > 0) return 'failing';
  if (placing === 'waiting') return 'undeployed';
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
  };
}

/** Ids of the fallbacks that some lineage of their policy is served by. */
function fallbacksServed(held: readonly HeldLineage[], now: Instant): ReadonlySet<string> {
  const certificates = new Map(held.map(({ lineage, certificate }) => [lineage.id, certificate]));
  const needy = held.filter(({ lineage, certificate, state: { revokedAt } }) => {
    if (lineage.source !== 'acme' || lineage.policy === undefined) return false;
    const fallback = certificates.get(fallbackId(lineage.policy));
    return (
      lineage.unwantedSince === undefined &&
      fallback !== undefined &&
      served({ certificate, fallback, revokedAt, now }) === fallback
    );
  });
  return new Set(needy.map(({ lineage }) => fallbackId(lineage.policy ?? '')));
}
