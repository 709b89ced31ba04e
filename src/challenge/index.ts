import { type AnsweredChallenge, type ExperimentalChallenge, unansweredReason } from '../core/challenges.ts';
import { AgentError } from '../core/errors.ts';
import type { Solver, Solvers } from '../core/ports.ts';
import type { ChallengeType } from '../core/types.ts';

/**
 * The solvers of this agent, one for each challenge that the file and the commands take: the compiler asks for it.
 * `get` throws `order.noChallenge` for one of a draft that is not in `enabled`.
 */
export function createSolvers(
  solvers: Readonly<Record<AnsweredChallenge | ExperimentalChallenge, Solver>>,
  enabled: readonly ChallengeType[] = [],
): Solvers {
  return {
    get(type) {
      const reason = unansweredReason(type, { experimental: enabled, answersTlsAlpn: true });
      if (reason === undefined) return solvers[type];
      throw new AgentError('order.noChallenge', reason, { facts: { challenge: type } });
    },
  };
}
