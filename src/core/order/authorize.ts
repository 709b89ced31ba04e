import { AgentError } from '../errors.ts';
import type { AcmeAuthorization, AcmeOrder, AcmeSession, NotReady, Ports } from '../ports.ts';
import type { Instant, Issuance, PresentedChallenge } from '../types.ts';
import { type Again, createQuiet, longestInProcessMs, pollPause, type Quiet, seldom } from '../wait.ts';
import type { AgainByHand } from './by-hand.ts';
import { explain, explained } from './explain.ts';
import {
  type AuthorizeNeeds,
  type Authorizing,
  longestValidationMs,
  presentAll,
  takeAway,
} from './present.ts';

/** A challenge that never ends is not given up before, whatever the CA's clock says of the authorizations. */
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
): Promise<AcmeOrder | AgainByHand> {
  const { order, session, issuance } = work;
  const authorizations = await Promise.all(
    order.authorizations.map((url) => session.authorization(url, signal)),
  );
  // One that failed is the verdict on the order, whatever status the CA still shows of that.
  if (authorizations.some(({ status }) => status !== 'pending' && status !== 'valid'))
    throw explained(order, authorizations, session.issuer);
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

async function respondAll(
  pending: readonly AcmeAuthorization[],
  presented: readonly PresentedChallenge[],
  needs: AuthorizeNeeds & { readonly session: AcmeSession },
  signal: AbortSignal,
): Promise<AgainByHand | undefined> {
  const statuses = new Map(
    pending.flatMap(({ challenges }) => challenges.map(({ url, status }) => [url, status])),
  );
  const waits = await Promise.all(
    presented
      .filter(({ challengeUrl }) => statuses.get(challengeUrl) === 'pending')
      .map(async (challenge) => {
        const ready = await untilReady(challenge, needs, signal);
        if (ready === true) await needs.session.respond(challenge.challengeUrl, signal);
        return ready === true ? [] : [ready];
      }),
  );
  const open = waits.flat();
  if (open.length === 0) return undefined;
  const again = Math.min(...open.map(({ checkAgainAt }) => checkAgainAt));
  return { again, byHand: open.flatMap(({ byHand }) => byHand ?? []) };
}

async function untilReady(
  { type, id }: PresentedChallenge,
  { solvers, clock }: AuthorizeNeeds,
  signal: AbortSignal,
): Promise<true | NotReady> {
  const solver = solvers.get(type);
  const until = clock.now() + longestInProcessMs;
  for (;;) {
    const ready = await solver.ready(id, signal);
    if (ready === true) return true;
    if (ready.checkAgainAt > until) return ready;
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
  return presented.some(({ type }) => solvers.get(type).onFetched !== undefined) ? 1000 : 50;
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

/**
 * When waiting for a verdict has no more sense: some CAs keep an authorization pending for an hour only. An order that
 * waited for a person may be older than any that did not.
 */
function lapseOf(pending: readonly AcmeAuthorization[], { startedAt, byHand }: Issuance): Instant {
  const lapses = pending.flatMap(({ expires }) => expires ?? []);
  const longest = byHand !== undefined && lapses.length > 0 ? [] : [startedAt + longestValidationMs];
  return Math.max(startedAt + leastValidationMs, Math.min(...longest, ...lapses));
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
