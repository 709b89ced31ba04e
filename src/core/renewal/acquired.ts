import type { Certificate, Instant, Lineage, RenewalState } from '../types.ts';
import { firstAdviceAt } from './advice.ts';
import { type OutcomeNeeds, pointOf } from './held.ts';
import { stillLeftOut } from './left-out.ts';

export interface Acquired {
  readonly lineage: Lineage;
  /** The new one, however it was come by. */
  readonly certificate: Certificate;
  /** The wish that stands all the same. */
  readonly requested: RenewalState['requested'];
  readonly now: Instant;
}

/**
 * What is remembered once a lineage has a new certificate: all is well, but for the names that this one has to do
 * without, which go on failing, each on its own ladder. What was known of the certificate before is forgotten.
 */
export function acquired(
  before: RenewalState,
  { lineage, certificate, requested, now }: Acquired,
  needs: Pick<OutcomeNeeds, 'settings'>,
): RenewalState {
  const { version, revoking, revoked, compromised, paused, failingSince, lastFailure, reminders } = before;
  const leftOut = stillLeftOut(before.leftOut, lineage.wanted.names, certificate.names);
  const fresh = {
    ...{ lineage: lineage.id, version, revoking, revoked, compromised, paused, requested },
    renewAt: pointOf(certificate, needs, undefined),
    ariCheckAt: firstAdviceAt(certificate, now),
    failures: 0,
    issuerFailures: {},
  };
  return leftOut === undefined
    ? { ...fresh, reminders: { count: 0 } }
    : { ...fresh, leftOut, failingSince, lastFailure, reminders };
}
