import { createHash } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import type { ChallengeToSolve, Ports, Solver } from '../core/ports.ts';
import type { ChallengeType } from '../core/types.ts';
import { base32 } from './base32.ts';
import { provenName, type TxtRecords } from './txt-records.ts';

/** The record is of no use to the CA shortly before the authorization lapses. */
const marginMs = 10 * 60_000;
const shortestLeaseMs = 10 * 60_000;
/** An authorization may be good for weeks; what a dead agent left behind should not stay as long. */
const longestLeaseMs = 24 * 3_600_000;
const cleanUpMs = 10_000;

/**
 * Answers dns-01 (RFC 8555 §8.4): the digest of the key authorization as a TXT record at `_acme-challenge.<name>`, or
 * where a CNAME from there leads. Apex and wildcard are two values at one name.
 */
export function createDns01Solver(records: TxtRecords, needs: Pick<Ports, 'clock'>): Solver {
  const label = () => '_acme-challenge';
  return createDigestSolver({ type: 'dns-01', label }, records, needs);
}

/**
 * Answers dns-account-01 (draft-ietf-acme-dns-account-label): as dns-01, but at a name of the account's own, so that
 * several of them, at one CA or more, can each have their CNAME.
 */
export function createDnsAccount01Solver(records: TxtRecords, needs: Pick<Ports, 'clock'>): Solver {
  const label = ({ accountUrl }: ChallengeToSolve) => {
    const digest = createHash('sha256').update(accountUrl).digest().subarray(0, 10);
    return `_${base32(digest).toLowerCase()}._acme-challenge`;
  };
  return createDigestSolver({ type: 'dns-account-01', label }, records, needs);
}

function createDigestSolver(
  { type, label }: { readonly type: ChallengeType; readonly label: (of: ChallengeToSolve) => string },
  records: TxtRecords,
  { clock }: Pick<Ports, 'clock'>,
): Solver {
  async function present(
    challenges: readonly ChallengeToSolve[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const now = clock.now();
    const wishes = challenges.map((challenge) => ({
      name: `${label(challenge)}.${provenName(challenge, type)}`,
      value: createHash('sha256').update(challenge.keyAuthorization).digest('base64url'),
      lineage: challenge.lineage,
      account: challenge.dnsAccount,
      leaseUntil:
        now + Math.min(Math.max(challenge.expiresAt - marginMs - now, shortestLeaseMs), longestLeaseMs),
      usefulUntil: challenge.expiresAt - marginMs,
    }));
    return records.present(wishes, signal);
  }

  /** Not under the caller's signal: what was presented must go also when the order was aborted. */
  async function cleanUp(ids: readonly string[]): Promise<void> {
    const own = new AbortController();
    const cancel = clock.after(cleanUpMs, () =>
      own.abort(
        new AgentError('store.unavailable', 'the store did not take the clean-up of TXT records in time'),
      ),
    );
    try {
      await records.cleanUp(ids, own.signal);
    } finally {
      cancel();
    }
  }

  return { type, present, ready: (id, signal) => records.ready(id, signal), cleanUp };
}
