import { reverseName } from '../core/address.ts';
import { AgentError } from '../core/errors.ts';
import type { ChallengeToSolve, Identifier, Ports, Solver } from '../core/ports.ts';

const idPrefix = 'tls-alpn-01:';

/** An answer outlives its authorization by at least this much of our own clock, which may run ahead of the CA's. */
const leastLifeMs = 10 * 60_000;
const firstLookMs = 250;
const longestLookMs = 60_000;

/**
 * Answers tls-alpn-01 (RFC 8737; IP addresses: RFC 8738): puts the key authorization where every agent's listener finds
 * it by the server name. Of several orders for one name, each has its turn: ready as soon as it is the one shown. The id
 * is `tls-alpn-01:<server name>:<token>`, so that any process can go on with it.
 */
export function createTlsAlpn01Solver(needs: Pick<Ports, 'tlsAnswers' | 'tokens' | 'clock'>): Solver {
  const { tlsAnswers, tokens, clock } = needs;

  async function present(challenges: readonly ChallengeToSolve[], signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    const now = clock.now();
    const answers = challenges.map(({ identifier, token, keyAuthorization, expiresAt }) => ({
      serverName: serverNameOf(identifier),
      identifier: identifier.value.toLowerCase(),
      token,
      keyAuthorization,
      putAt: now,
      expiresAt: Math.max(expiresAt, now + leastLifeMs),
    }));
    await tlsAnswers.put(answers);
    return answers.map(({ serverName, token }) => `${idPrefix}${serverName}:${token}`);
  }

  async function ready(id: string): Promise<true | { readonly checkAgainAt: number }> {
    const { serverName, token } = partsOf(id);
    const queue = await tlsAnswers.of(serverName);
    const shown = queue[0];
    if (shown?.token === token) return true;
    if (shown === undefined || queue.every((one) => one.token !== token))
      throw new AgentError('order.expired', `the time to answer tls-alpn-01 for ${serverName} is over`);
    const now = clock.now();
    // The other order may take long: the longer it does, the longer until the next look.
    const lookMs = Math.min(Math.max((now - shown.putAt) / 2, firstLookMs), longestLookMs);
    return { checkAgainAt: now + lookMs };
  }

  async function cleanUp(ids: readonly string[]): Promise<void> {
    await Promise.all(
      ids.map((id) => {
        const { serverName, token } = partsOf(id);
        return tlsAnswers.remove(serverName, token);
      }),
    );
  }

  return {
    type: 'tls-alpn-01',
    present,
    ready,
    onFetched: (id, seen) => tokens.onFetched(partsOf(id).token, seen),
    cleanUp,
  };
}

/** What the CA asks for in its handshake; an address has no place in SNI. */
function serverNameOf({ type, value }: Identifier): string {
  return type === 'ip' ? reverseName(value) : value.toLowerCase();
}

function partsOf(id: string): { readonly serverName: string; readonly token: string } {
  const [serverName = '', token = ''] = id.slice(idPrefix.length).split(':');
  return { serverName, token };
}
