import { AgentError } from '../core/errors.ts';
import type { Solver, Solvers } from '../core/ports.ts';

/** The solvers of this agent, by challenge type. `get` throws `order.noChallenge` for a type that none of them answers. */
export function createSolvers(list: readonly Solver[]): Solvers {
  const byType = new Map(list.map((solver) => [solver.type, solver]));

  return {
    get(type) {
      const solver = byType.get(type);
      if (solver !== undefined) return solver;
      const known = [...byType.keys()].join(', ') || 'none';
      throw new AgentError('order.noChallenge', `this agent does not answer ${type} (it answers: ${known})`, {
        facts: { challenge: type },
      });
    },
  };
}
