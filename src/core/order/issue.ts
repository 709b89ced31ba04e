import { isAgentError, toAgentError } from '../errors.ts';
import type { AcmeOrder, Change } from '../ports.ts';
import type { Bundle, Certificate, Instant, Issuance, TxtByHand } from '../types.ts';
import { type Again, longestInProcessMs } from '../wait.ts';
import { authorize } from './authorize.ts';
import { asked, idleEvents } from './by-hand.ts';
import { explain } from './explain.ts';
import { abandon, begin, cleanUp, type IssueRequest, mayGoOn, resumable } from './issuance.ts';
import { openOrder } from './new-order.ts';
import { longestValidationMs } from './present.ts';
import { latenessOf, untilMade } from './processing.ts';
import { leaveAlone } from './room.ts';
import { type IssueNeeds, type Run, save } from './run.ts';

/** So long a CA may be at a request to finalize that nobody waits for any more. */
const longestFinalizeMs = 30_000;

/** What the CA issued, verified; storing it is the caller's, and then `finish`. */
export interface Issued {
  readonly bundle: Bundle;
  /** Begun maybe in another process. */
  readonly issuance: Issuance;
  /** Removes what was presented, forgets the order and writes when to come back: the commit point. */
  readonly finish: (due: Change['due']) => Promise<void>;
}

/**
 * Orders one certificate, or goes on with the order under way. The CA's order status is the program counter: a run may
 * die anywhere and the next one continues the same order. Throws what the CA or the network said; what was presented is
 * then cleaned up and an order that cannot go on is forgotten.
 */
export async function issue(
  request: IssueRequest,
  needs: IssueNeeds,
  signal: AbortSignal,
): Promise<Issued | Again> {
  await leaveAlone(request, needs);
  const session = await needs.acme.session(request.issuer, signal);
  const stored = await resumable(request, session, needs);
  const begun =
    stored === undefined
      ? await begin(request, session, needs, signal)
      : { issuance: stored, spentOnOrder: [] };
  const run: Run = { request, session, needs, ...begun, keySafe: false, hasNewKey: false, hasLeft: false };
  try {
    const order = await openOrder(run, signal);
    // A job goes on with it.
    if (run.hasLeft) return { again: needs.clock.now() };
    const valid = await drive(run, order, signal);
    return 'again' in valid ? valid : await collect(run, valid, signal);
  } catch (error) {
    await failed(run, error, signal);
    throw error;
  }
}

/** Until the certificate is there to be fetched. */
async function drive(run: Run, opened: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder | Again> {
  const { session, needs } = run;
  const { clock } = needs;
  let order = opened;
  const until = clock.now() + longestInProcessMs;
  for (;;) {
    if (order.status === 'valid') return order;
    if (order.status === 'invalid') throw await explain(order, session, signal);
    if (order.status === 'processing') {
      const finalizedAt = run.issuance.finalizedAt ?? run.issuance.startedAt;
      const next = await untilMade({ order, session, finalizedAt, until }, needs, signal);
      if ('again' in next) return next;
      order = next;
    } else {
      const step = order.status === 'pending' ? answer : finalize;
      const next = await step(run, order, signal);
      if ('again' in next) return next;
      order = next;
    }
  }
}

async function answer(run: Run, order: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder | Again> {
  const { session, issuance, request, needs } = run;
  const remember = (presented: Issuance['presented']) => save(run, { ...run.issuance, presented }, true);
  try {
    const work = { order, session, issuance, domain: request.domain };
    const next = await authorize(work, { ...needs, remember }, signal);
    if (!('again' in next)) return next;
    await askPeople(run, next.byHand ?? []);
    return { again: next.again };
  } catch (error) {
    if (isAgentError(error, 'provider.throttled') && isInTime(error.retryAt, run.issuance))
      return { again: error.retryAt };
    if (run.hasNewKey || !isAgentError(error, 'store.conflict')) throw error;
    run.hasNewKey = true;
    return answer(run, order, signal);
  }
}

/** The order can wait for a vendor that is busy, as long as the CA keeps it open. */
function isInTime(again: Instant | undefined, { startedAt }: Issuance): again is Instant {
  return again !== undefined && again < startedAt + longestValidationMs;
}

async function askPeople(run: Run, records: readonly TxtByHand[]): Promise<void> {
  const { request, issuance, needs } = run;
  const { fence, predecessor, state } = request;
  const change = asked({
    issuance,
    records,
    notAfter: predecessor?.notAfter,
    silencedUntil: state.reminders.silencedUntil,
    now: needs.clock.now(),
  });
  if (change?.putIssuance === undefined) return;
  await needs.changes.commit({ fence, ...change });
  run.issuance = change.putIssuance;
}

async function finalize(run: Run, order: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder | Again> {
  const { session, issuance } = run;
  const now = run.needs.clock.now();
  const { finalizedAt = now } = issuance;
  const again = finalizedAt + longestFinalizeMs;
  // An earlier request may still be under way, also one of a run that was killed.
  if (finalizedAt < now && now < again) return { again };
  if (!run.keySafe || issuance.finalizedAt === undefined)
    await save(run, { ...issuance, finalizedAt }, !run.keySafe);
  try {
    return await session.finalize(order, issuance.csrDer, signal);
  } catch (error) {
    // The CA may have taken an earlier finalize whose answer was lost; its order says so.
    if (!isAgentError(error, 'acme.malformed') && !isAgentError(error, 'acme.network')) throw error;
    const seen = await session.order(order.url, signal);
    if (seen.status !== 'ready') return seen;
    // A second one that does not come back in time is a failure.
    if (error.facts.isUnderWay === true && finalizedAt === now) return { again };
    throw error;
  }
}

async function collect(run: Run, order: AcmeOrder, signal: AbortSignal): Promise<Issued> {
  const { session, issuance, request, needs } = run;
  const { lineage, fence } = request;
  const { wanted, names, privateKey } = issuance;
  const cleaned = cleanUp(issuance, needs);
  const pem = await session.certificate(order, signal);
  const now = needs.clock.now();
  const { leafDer, chainDer, ...facts } = needs.pki.readIssued(pem, { names, privateKey, now });
  const certificate: Certificate = {
    ...facts,
    lineage: lineage.id,
    generation: (lineage.generations.at(-1) ?? 0) + 1,
    source: 'acme',
    issuer: session.issuer,
    account: session.accountUrl,
    issuedAt: now,
    wanted,
  };
  const finish: Issued['finish'] = async (due) => {
    await cleaned;
    await needs.changes.commit({ fence, dropIssuance: lineage.id, due, events: idleEvents(issuance) });
  };
  return { bundle: { certificate, leafDer, chainDer, privateKey }, issuance, finish };
}

/** An order that may still go on is kept for the next run; what cannot is cleaned up and forgotten. */
async function failed(run: Run, error: unknown, signal: AbortSignal): Promise<void> {
  const { request, issuance, needs } = run;
  if (signal.aborted || isAgentError(error, 'store.fenced')) return;
  if (!mayGoOn(error, issuance, needs.clock.now())) return abandon(issuance, request.fence, needs);
  const lateness = latenessOf(toAgentError(error));
  if (lateness !== undefined) await save(run, { ...issuance, ...lateness }, false);
}
