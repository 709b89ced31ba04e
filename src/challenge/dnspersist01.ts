import { AgentError } from '../core/errors.ts';
import { forever, permissionEnd } from '../core/order/permanent-records.ts';
import type { ChallengeToSolve, Clock, Solver } from '../core/ports.ts';
import type { Instant, Settings } from '../core/types.ts';
import { provenName, type TxtRecords } from './txt-records.ts';

/**
 * Answers dns-persist-01 (draft-ietf-acme-dns-persist): a TXT record at `_validation-persist.<name>` that lets one
 * account at one CA have certificates for the name, for as long as it stands there. It holds no secret and is the same
 * for every order, so no order takes it away: it goes when nobody wants it any more (`core/order/permanent-records.ts`).
 */
export function createDnsPersist01Solver(
  records: TxtRecords,
  { clock, permissionMs }: Pick<Settings, 'permissionMs'> & { readonly clock: Pick<Clock, 'now'> },
): Solver {
  async function present(
    challenges: readonly ChallengeToSolve[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const end = permissionMs === undefined ? undefined : permissionEnd(clock.now(), permissionMs);
    const wishes = challenges.map((challenge) => {
      const { lineage, dnsAccount: account } = challenge;
      const name = `_validation-persist.${provenName(challenge, 'dns-persist-01')}`;
      return { name, value: permission(challenge, end), lineage, account, leaseUntil: forever };
    });
    const named = new Map(wishes.map((wish) => [`${wish.name} ${wish.value}`, wish]));
    const ids = await records.present([...named.values()], signal);
    const idOf = new Map([...named.keys()].map((key, index) => [key, ids[index] ?? '']));
    return wishes.map(({ name, value }) => idOf.get(`${name} ${value}`) ?? '');
  }

  return {
    type: 'dns-persist-01',
    present,
    ready: (id, signal) => records.ready(id, signal),
    cleanUp: async () => {},
  };
}

/** One record for a name and its wildcard. Written as RFC 8659 §4.2 writes the value of `issue`. */
function permission(challenge: ChallengeToSolve, end: Instant | undefined): string {
  const { identifier, names, accountUrl, issuerDomains = [] } = challenge;
  const [issuerDomain] = issuerDomains;
  if (issuerDomain === undefined)
    throw new AgentError('acme.response', `the dns-persist-01 challenge for ${identifier.value} names no CA`);
  const policy = names.includes(`*.${identifier.value}`) ? ['policy=wildcard'] : [];
  const until = end === undefined ? [] : [`persistUntil=${end / 1000}`];
  return [issuerDomain, `accounturi=${accountUrl}`, ...policy, ...until].join('; ');
}
