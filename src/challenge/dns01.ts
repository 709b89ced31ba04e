import { createHash } from 'node:crypto';
import { AgentError } from '../core/errors.ts';
import type { ChallengeToSolve, Ports, Solver } from '../core/ports.ts';
import type { Instant, LineageId } from '../core/types.ts';

/** Where TXT records are written, whoever hosts the zones. Ids are durable: any process can go on with them. */
export interface TxtRecords {
  /** Durable when it resolves; one id a wish, in order. */
  present(
    wishes: readonly {
      readonly name: string;
      readonly value: string;
      readonly lineage: LineageId;
      readonly account?: string | undefined;
      readonly leaseUntil: Instant;
    }[],
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  ready(id: string, signal: AbortSignal): Promise<true | { readonly checkAgainAt: Instant }>;
  cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void>;
}

/** The record is of no use to the CA shortly before the authorization lapses. */
const marginMs = 10 * 60_000;
const shortestLeaseMs = 10 * 60_000;
/** An authorization may be good for weeks; what a dead agent left behind should not stay as long. */
const longestLeaseMs = 24 * 3_600_000;
const cleanUpMs = 30_000;

/**
 * Answers dns-01 (RFC 8555 §8.4): the digest of the key authorization as a TXT record at `_acme-challenge.<name>`, or
 * where a CNAME from there leads. Apex and wildcard are two values at one name.
 */
export function createDns01Solver(records: TxtRecords, { clock }: Pick<Ports, 'clock'>): Solver {
  async function present(
    challenges: readonly ChallengeToSolve[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const now = clock.now();
    const wishes = challenges.map((challenge) => ({
      name: recordName(challenge),
      value: createHash('sha256').update(challenge.keyAuthorization).digest('base64url'),
      lineage: challenge.lineage,
      account: challenge.dnsAccount,
      leaseUntil:
        now + Math.min(Math.max(challenge.expiresAt - marginMs - now, shortestLeaseMs), longestLeaseMs),
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

  return { type: 'dns-01', present, ready: (id, signal) => records.ready(id, signal), cleanUp };
}

/** The identifier of a wildcard's authorization comes without `*.` (RFC 8555 §7.1.4). */
function recordName({ identifier }: ChallengeToSolve): string {
  if (identifier.type === 'dns') return `_acme-challenge.${identifier.value.replace(/^\*\./, '')}`;
  throw new AgentError('order.noChallenge', `dns-01 cannot prove the IP address ${identifier.value}`, {
    facts: { identifier: identifier.value },
  });
}
