import type { AgentError, ErrorCode } from '../errors.ts';
import type { Instant, Lineage, RenewalState, Settings, WantedSpec } from '../types.ts';

/** Faults in a row after which the next issuer is tried, and after which an issuer's breaker opens. */
export const patience = 3;

/** A CA may always name a moment; for longer than the first step of the ladder it is not waited for where another stands ready. */
const momentMs = 60_000;

/** Faults of an issuer where asking it again is pointless until a person acted. */
const pointless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'acme.account',
  'acme.externalAccount',
  'acme.userAction',
  'acme.paused',
  'challenge.caa',
  'order.issuer',
  'order.noChallenge',
  'order.profile',
  'order.rejectedIdentifier',
]);

/** Faults of an issuer that may pass. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'acme.network',
  'acme.server',
  'acme.badNonce',
  'acme.response',
  'acme.rateLimited',
  'acme.malformed',
  'order.certificate',
]);

/**
 * What a failure adds to the faults of its issuer for one lineage: 0 for a verdict about the name (a second CA would
 * say the same, and its limits would be burnt too), `patience` where waiting is pointless, else 1.
 */
export function weightOf(error: AgentError, now: Instant, validUntil: Instant | undefined): number {
  if (pointless.has(error.code)) return patience;
  if (!passing.has(error.code)) return 0;
  const half = validUntil === undefined ? 0 : (validUntil - now) / 2;
  const tolerable = Math.max(half, momentMs);
  return error.retryAt !== undefined && error.retryAt - now > tolerable ? patience : 1;
}

/** True if the fault says that the issuer itself is in trouble, for all lineages. */
export function isOutageCode(code: string): boolean {
  const codes: readonly ErrorCode[] = ['acme.network', 'acme.server', 'acme.badNonce', 'acme.response'];
  return codes.some((one) => one === code);
}

/** False only where `issuer` stands for another CA in one of the two wishes than in the other. */
export function isSameCa(a: WantedSpec, b: WantedSpec, issuer: string): boolean {
  const [one, other] = [a, b].map(({ issuers, directories }) => directories?.[issuers.indexOf(issuer)] ?? '');
  return one === '' || other === '' || one === other;
}

/** Those of a lineage's issuers that the configuration file defines now. */
export function configuredIssuers(
  { wanted }: Pick<Lineage, 'wanted'>,
  settings: Settings,
): readonly string[] {
  return wanted.issuers.filter((issuer) => settings.issuers.includes(issuer));
}

/**
 * The issuers to ask next, in turn: those that this lineage still has patience with, as configured; without any such
 * all of them, the one with the fewest faults first.
 */
export function issuersInTurn(
  issuers: readonly string[],
  faults: RenewalState['issuerFailures'],
): readonly string[] {
  const patient = issuers.filter((issuer) => (faults[issuer] ?? 0) < patience);
  return patient.length > 0 ? patient : issuers.toSorted((a, b) => (faults[a] ?? 0) - (faults[b] ?? 0));
}

/** True if an issuer that this lineage has not asked since the last success stands ready. */
export function hasFreshIssuer(
  issuers: readonly string[],
  faults: RenewalState['issuerFailures'],
  asked: string,
): boolean {
  return (
    (faults[asked] ?? 0) >= patience &&
    issuers.some((issuer) => issuer !== asked && (faults[issuer] ?? 0) === 0)
  );
}
