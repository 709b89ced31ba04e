import { AgentError, codeOfProblem } from '../errors.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeOrder, AcmeSession, Ports, Problem } from '../ports.ts';
import type { Domain, Instant, Issuance, PresentedChallenge } from '../types.ts';
import { type Again, createQuiet, longestInProcessMs, pollPause, type Quiet, seldom } from '../wait.ts';

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
const longestValidationMs = 3_600_000;
/** Not given up before, whatever the CA's clock says of the authorizations. */
const leastValidationMs = 600_000;

/**
 * Takes a pending order to the CA's verdict: presents every challenge, responds to each as it is ready, waits for the
 * order to leave `pending`. Resumes what another run presented. Resolves with the order as the CA now has it, or with
 * an instant to come back. Clean-up is the caller's, whatever the outcome. Throws `store.conflict` when the account got
 * another key meanwhile: the next call presents anew.
 */
export async function authorize(
  work: Authorizing,
  needs: AuthorizeNeeds,
  signal: AbortSignal,
): Promise<AcmeOrder | Again> {
  const { order, session, issuance } = work;
  const authorizations = await Promise.all(
    order.authorizations.map((url) => session.authorization(url, signal)),
  );
  const pending = authorizations.filter((authorization) => authorization.status === 'pending');
  await takeAway(authorizations, { ...needs, issuance, session }, signal);
  const presented = await presentAll(work, pending, needs, signal);
  // From before the CA is told: its fetches may all have come when it has answered.
  const quiet = createQuiet(needs.clock, listener(presented, needs.solvers));
  try {
    const again = await respondAll(pending, presented, { ...needs, session }, signal);
    return (
      again ??
      (await verdict(work, { presented, quiet, lapsesAt: lapseOf(pending, issuance) }, needs, signal))
    );
  } finally {
    quiet.stop();
  }
}

/**
 * What the CA has judged goes at once, and what it would find wrong: at some DNS vendors a name has room for one value,
 * and the next one waits for it.
 */
async function takeAway(
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

async function presentAll(
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

async function respondAll(
  pending: readonly AcmeAuthorization[],
  presented: readonly PresentedChallenge[],
  needs: AuthorizeNeeds & { readonly session: AcmeSession },
  signal: AbortSignal,
): Promise<Again | undefined> {
  const statuses = new Map(
    pending.flatMap(({ challenges }) => challenges.map(({ url, status }) => [url, status])),
  );
  const waits = await Promise.all(
    presented
      .filter(({ challengeUrl }) => statuses.get(challengeUrl) === 'pending')
      .map(async (challenge) => {
        const ready = await untilReady(challenge, needs, signal);
        if (ready === true) await needs.session.respond(challenge.challengeUrl, signal);
        return ready === true ? [] : [ready.again];
      }),
  );
  const instants = waits.flat();
  return instants.length === 0 ? undefined : { again: Math.min(...instants) };
}

async function untilReady(
  { type, id }: PresentedChallenge,
  { solvers, clock }: AuthorizeNeeds,
  signal: AbortSignal,
): Promise<true | Again> {
  const solver = solvers.get(type);
  const until = clock.now() + longestInProcessMs;
  for (;;) {
    const ready = await solver.ready(id, signal);
    if (ready === true) return true;
    if (ready.checkAgainAt > until) return { again: ready.checkAgainAt };
    await clock.sleep(ready.checkAgainAt - clock.now(), signal);
  }
}

async function verdict(
  { order, session, issuance }: Authorizing,
  {
    presented,
    quiet,
    lapsesAt,
  }: { presented: readonly PresentedChallenge[]; quiet: Quiet; lapsesAt: Instant },
  { solvers, clock, log }: AuthorizeNeeds,
  signal: AbortSignal,
): Promise<AcmeOrder | Again> {
  const until = clock.now() + longestInProcessMs;
  const firstMs = firstPollMs(presented, solvers);
  let seen = order;
  for (let poll = 0; ; poll++) {
    const pause = pollPause(poll, poll === 0 ? undefined : seen.retryAfterMs, firstMs);
    if (clock.now() + pause > until)
      return comeBack({ startedAt: issuance.startedAt, lapsesAt }, clock.now(), pause);
    await quiet.sleep(pause, signal);
    seen = await session.order(order.url, signal);
    if (seen.status === 'invalid') throw await explain(seen, session, signal);
    if (seen.status !== 'pending') return seen;
    log.debug({ lineage: issuance.lineage, poll }, 'the CA is still validating');
  }
}

/** Where the CA's fetches can be seen, the first poll waits for them; elsewhere it comes soon, or at once. */
function firstPollMs(presented: readonly PresentedChallenge[], solvers: Ports['solvers']): number {
  if (presented.length === 0) return 1;
  return presented.some(({ type }) => solvers.get(type).onFetched !== undefined) ? 1000 : 100;
}

function listener(
  presented: readonly PresentedChallenge[],
  solvers: Ports['solvers'],
): (seen: () => void) => () => void {
  return (seen) => {
    const stops = presented.flatMap(({ type, id }) => solvers.get(type).onFetched?.(id, seen) ?? []);
    return () => {
      for (const stop of stops) stop();
    };
  };
}

/** When waiting for a verdict has no more sense: some CAs keep an authorization pending for an hour only. */
function lapseOf(pending: readonly AcmeAuthorization[], { startedAt }: Issuance): Instant {
  const lapses = pending.flatMap(({ expires }) => expires ?? []);
  return Math.max(startedAt + leastValidationMs, Math.min(startedAt + longestValidationMs, ...lapses));
}

function comeBack(
  { startedAt, lapsesAt }: { readonly startedAt: Instant; readonly lapsesAt: Instant },
  now: Instant,
  pauseMs: number,
): Again {
  const age = now - startedAt;
  if (now >= lapsesAt)
    throw new AgentError(
      'challenge.timeout',
      `the CA has not finished validating after ${Math.round(age / 60_000)} minutes`,
    );
  return { again: now + Math.max(pauseMs, Math.min(seldom(age), lapsesAt - now)) };
}

/** The CA's verdict in its own words, by name. RFC 8555 §7.1.6, §8.2. */
export async function explain(
  order: AcmeOrder,
  session: AcmeSession,
  signal: AbortSignal,
): Promise<AgentError> {
  const authorizations = await Promise.all(
    order.authorizations.map((url) => session.authorization(url, signal)),
  );
  const failed = authorizations.flatMap((authorization) => {
    const problem = authorization.challenges.find(({ error }) => error !== undefined)?.error;
    return problem === undefined ? [] : [{ name: nameOf(authorization), problem }];
  });
  const problem = failed[0]?.problem ?? order.error;
  if (problem === undefined && authorizations.some(({ status }) => status === 'expired'))
    return new AgentError('order.expired', `${session.issuer}: the order expired before it was finalized`);
  if (problem === undefined)
    return new AgentError(
      'order.invalid',
      `${session.issuer}: the order became invalid, and no reason was given`,
    );
  const words =
    failed.length === 0
      ? wordsOf(problem)
      : failed.map(({ name, problem: one }) => `${name}: ${wordsOf(one)}`).join('; ');
  const names = Object.fromEntries(failed.map(({ name, problem: one }) => [name, wordsOf(one)]));
  return new AgentError(codeOfProblem(problem.type), `${session.issuer}: ${words}`, {
    facts: { names, problem },
  });
}

function wordsOf(problem: Problem): string {
  return problem.detail ?? problem.type;
}

function nameOf({ identifier, wildcard }: AcmeAuthorization): string {
  return wildcard ? `*.${identifier.value}` : identifier.value;
}
