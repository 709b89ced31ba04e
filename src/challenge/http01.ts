import type { ChallengeToSolve, Ports, Solver } from '../core/ports.ts';

const idPrefix = 'http-01:';

/** A token outlives its authorization by at least this much of our own clock, which may run ahead of the CA's. */
const leastLifeMs = 10 * 60_000;

/**
 * Answers http-01 (RFC 8555 §8.3): puts the key authorization where every agent's port 80 finds it. Ready as soon as
 * it is stored; the id is `http-01:<token>`, so that any process can go on with it.
 */
export function createHttp01Solver(needs: Pick<Ports, 'tokens' | 'clock'>): Solver {
  const { tokens, clock } = needs;

  async function present(challenges: readonly ChallengeToSolve[], signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    const earliest = clock.now() + leastLifeMs;
    return Promise.all(
      challenges.map(async ({ token, keyAuthorization, expiresAt }) => {
        await tokens.put(token, keyAuthorization, Math.max(expiresAt, earliest));
        return idPrefix + token;
      }),
    );
  }

  async function cleanUp(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => tokens.remove(tokenOf(id))));
  }

  return {
    type: 'http-01',
    present,
    ready: async () => true,
    onFetched: (id, seen) => tokens.onFetched(tokenOf(id), seen),
    cleanUp,
  };
}

function tokenOf(id: string): string {
  return id.slice(idPrefix.length);
}
