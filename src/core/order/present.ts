import { AgentError } from '../errors.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeOrder, AcmeSession, Ports } from '../ports.ts';
import type { Domain, Issuance, PresentedChallenge } from '../types.ts';
import { nameOf } from './explain.ts';

export type AuthorizeNeeds = Pick<Ports, 'solvers' | 'clock' | 'log'> & {
  /** Keeps what was presented with the issuance, durably, before the CA is told. */
  readonly remember: (presented: Issuance['presented']) => Promise<void>;
};

export interface Authorizing {
  readonly order: AcmeOrder;
  readonly session: AcmeSession;
  readonly issuance: Issuance;
  readonly domain: Domain;
}

/** A challenge that never ends is given up after this. */
export const longestValidationMs = 3_600_000;

/**
 * What the CA has judged goes at once, and what it would find wrong: at some DNS vendors a name has room for one value,
 * and the next one waits for it.
 */
export async function takeAway(
  authorizations: readonly AcmeAuthorization[],
  {
    issuance: { presented },
    session,
    solvers,
    log,
  }: AuthorizeNeeds & Pick<Authorizing, 'issuance' | 'session'>,
  signal: AbortSignal,
): Promise<void> {
  const useless = authorizations.flatMap((authorization) => {
    const challenge = presented[authorization.url];
    const stays = authorization.status === 'pending' && !isOutdated(challenge, authorization, session);
    return challenge === undefined || stays ? [] : [challenge];
  });
  for (const { type, id } of useless)
    await solvers
      .get(type)
      .cleanUp([id], signal)
      .catch((err: unknown) => log.warn({ err }, 'clean-up after validation failed; it comes again'));
}

/** Made with an earlier key of the account, and not told to the CA. */
function isOutdated(
  presented: PresentedChallenge | undefined,
  { challenges }: AcmeAuthorization,
  session: AcmeSession,
): boolean {
  if (presented?.thumbprint === undefined || presented.thumbprint === thumbprintOf(session)) return false;
  return challenges.some(({ url, status }) => url === presented.challengeUrl && status === 'pending');
}

/** RFC 8555 §8.1: a key authorization is the token, a full stop and the thumbprint. */
function thumbprintOf(session: AcmeSession): string {
  return session.keyAuthorization('').slice(1);
}

/** Those that no run has presented, or presented with an earlier key of the account. Resolves with all that are pending. */
export async function presentAll(
  { issuance, domain, session }: Authorizing,
  pending: readonly AcmeAuthorization[],
  { solvers, clock, remember }: AuthorizeNeeds,
  signal: AbortSignal,
): Promise<readonly PresentedChallenge[]> {
  const isKept = (one: AcmeAuthorization) =>
    issuance.presented[one.url] !== undefined && !isOutdated(issuance.presented[one.url], one, session);
  const fresh = pending.filter((one) => !isKept(one));
  const kept = pending.filter(isKept).flatMap(({ url }) => issuance.presented[url] ?? []);
  if (fresh.length === 0) return kept;
  const type = issuance.wanted.challenge;
  const thumbprint = thumbprintOf(session);
  const chosen = fresh.map((authorization) => ({
    authorization,
    challenge: pick(authorization, type, session),
  }));
  const ids = await solvers.get(type).present(
    chosen.map(({ authorization, challenge }) => ({
      lineage: issuance.lineage,
      domain: domain.name,
      identifier: authorization.identifier,
      wildcard: authorization.wildcard,
      names: issuance.names,
      token: challenge.token,
      keyAuthorization: challenge.token === '' ? '' : session.keyAuthorization(challenge.token),
      issuerDomains: challenge.issuerDomains,
      accountUrl: session.accountUrl,
      dnsAccount: domain.dnsAccount,
      expiresAt: authorization.expires ?? clock.now() + longestValidationMs,
    })),
    signal,
  );
  const made = chosen.flatMap(
    ({ authorization, challenge }, index): (readonly [string, PresentedChallenge])[] => {
      const id = ids[index];
      const made = { type, id: id ?? '', challengeUrl: challenge.url, thumbprint };
      return id === undefined ? [] : [[authorization.url, made]];
    },
  );
  await remember({ ...issuance.presented, ...Object.fromEntries(made) });
  return [...kept, ...made.map(([, challenge]) => challenge)];
}

function pick(
  authorization: AcmeAuthorization,
  type: AcmeChallenge['type'],
  session: AcmeSession,
): AcmeChallenge {
  const challenge = authorization.challenges.find((offered) => offered.type === type);
  if (challenge !== undefined) return challenge;
  const offered = authorization.challenges.map((other) => other.type).join(', ') || 'none that we know';
  throw new AgentError(
    'order.noChallenge',
    `${session.issuer} does not offer ${type} for ${nameOf(authorization)}; it offers ${offered}`,
  );
}
