import type { HeldLineage } from '../held-lineages.ts';
import { covers } from '../names.ts';
import { isHeld } from '../revocation/revoking.ts';
import type { Certificate, Instant, Issuance, RenewalState } from '../types.ts';
import { isSameCa } from './failover.ts';
import { isLeftOutDue } from './left-out.ts';

/** Why a new certificate is ordered; the first rule that holds names it. */
export type Reason =
  | 'missing'
  | 'revoked'
  | 'revoking'
  | 'names-changed'
  | 'issuer-gone'
  | 'key-type-changed'
  | 'profile-changed'
  | 'due'
  | 'left-out'
  | 'requested';

export interface Case extends HeldLineage {
  /** Order under way, where that is known. */
  readonly open?: Pick<Issuance, 'lookAt'> | undefined;
  readonly now: Instant;
}

const week = 7 * 86_400_000;

/**
 * Wishes are compared with the wish that the certificate was ordered for, not with what it turned out to be: a failover, or
 * a preferred profile that the CA lacks, must not order again. Names alone must be there too, or be remembered as left out.
 * A superfluous name waits for the next renewal.
 * An issuer is gone also when its name stands for another CA now (staging became production).
 */
const rules: readonly (readonly [Reason, (held: Certificate, now: Case) => boolean])[] = [
  // Nobody wants another one of what nobody asks for any more.
  [
    'revoked',
    (_, { state, lineage }) => state.revokedAt !== undefined && lineage.unwantedSince === undefined,
  ],
  [
    'revoking',
    (held, { state, lineage }) =>
      lineage.unwantedSince === undefined && state.revoking?.some((one) => isHeld(one, held)) === true,
  ],
  ['names-changed', (held, given) => given.lineage.wanted.names.some((name) => isNew(name, held, given))],
  [
    'issuer-gone',
    ({ issuer, wanted }, { lineage }) =>
      issuer === undefined ||
      !lineage.wanted.issuers.includes(issuer) ||
      !isSameCa(wanted, lineage.wanted, issuer),
  ],
  ['key-type-changed', (held, { lineage }) => held.wanted.keyType !== lineage.wanted.keyType],
  ['profile-changed', (held, { lineage }) => held.wanted.profile?.name !== lineage.wanted.profile?.name],
  ['due', (held, { state, now }) => now >= dueFrom(state, held)],
  ['left-out', (_, { state, now }) => isLeftOutDue(state, now)],
  ['requested', (_, { state }) => state.requested?.force === true],
];

/** The reason to order now, or undefined: nothing to do. */
export function decide(given: Case): Reason | undefined {
  if (isAbandoned(given)) return undefined;
  const { certificate } = given;
  if (certificate === undefined) return 'missing';
  return rules.find(([, holds]) => holds(certificate, given))?.[0];
}

/** Also one that was left out of the order, was given up, and is wished for again: nobody remembers it. */
function isNew(name: string, held: Certificate, { state }: Case): boolean {
  if (!held.wanted.names.includes(name)) return true;
  return state.leftOut?.[name] === undefined && !held.names.some((one) => covers(one, name));
}

/** When the rule asks for the next one; what a person put back has its time first. */
export function dueFrom(
  { renewAt, heldUntil = 0 }: RenewalState,
  { notAfter }: Pick<Certificate, 'notAfter'>,
): Instant {
  return Math.max(renewAt ?? notAfter, heldUntil);
}

/** No host or group has asked for it for seven days, or at all since before it had a certificate. */
export function isAbandoned({ lineage, certificate, now }: Omit<Case, 'state'>): boolean {
  const { unwantedSince } = lineage;
  return unwantedSince !== undefined && (certificate === undefined || now >= unwantedSince + week);
}
