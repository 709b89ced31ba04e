import { AgentError } from '../core/errors.ts';
import type { ChallengeToSolve, NotReady } from '../core/ports.ts';
import type { ChallengeType, Instant, LineageId } from '../core/types.ts';

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
      /** Until when it is of use to the CA; absent: it stays. */
      readonly usefulUntil?: Instant | undefined;
    }[],
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  ready(id: string, signal: AbortSignal): Promise<true | NotReady>;
  cleanUp(ids: readonly string[], signal: AbortSignal): Promise<void>;
}

/** The name that is proven; that of a wildcard's authorization comes without `*.` (RFC 8555 §7.1.4). */
export function provenName({ identifier }: ChallengeToSolve, type: ChallengeType): string {
  if (identifier.type === 'dns') return identifier.value.replace(/^\*\./, '');
  throw new AgentError('order.noChallenge', `${type} cannot prove the IP address ${identifier.value}`, {
    facts: { identifier: identifier.value },
  });
}
