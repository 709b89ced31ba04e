import { isAgentError, toAgentError } from '../errors.ts';
import type { AcmeOrder, AcmeSession, Change, Ports } from '../ports.ts';
import type { Bundle, Certificate, Instant, Issuance, TxtByHand } from '../types.ts';
import { verdictsIn } from '../verdict.ts';
import { type Again, longestInProcessMs } from '../wait.ts';
import { authorize } from './authorize.ts';
import { asked, idleEvents } from './by-hand.ts';
import { explain } from './explain.ts';
import {
  abandon,
  type Begun,
  begin,
  cleanUp,
  type IssuanceNeeds,
  type IssueRequest,
  mayGoOn,
  resumable,
  withoutReplaces,
} from './issuance.ts';
import { longestValidationMs } from './present.ts';
import { latenessOf, untilMade } from './processing.ts';
import { isUncounted, leaveAlone, ofLimit } from './room.ts';

/** So long a CA may be at a request to finalize that nobody waits for any more. */
const longestFinalizeMs = 30_000;

export interface IssueNeeds extends IssuanceNeeds, Pick<Ports, 'acme'> {
  /** Called when an answer is waited for longer than a job may be held; the work goes on by itself until it is there. */
  readonly leave?: (() => void) | undefined;
}

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
    const order = await open(run, signal);
    // A job goes on with it.
    if (run.hasLeft) return { again: needs.clock.now() };
    const valid = await drive(run, order, signal);
    return 'again' in valid ? valid : await collect(run, valid, signal);
  } catch (error) {
    await failed(run, error, signal);
    throw error;
  }
}

interface Run {
  readonly request: IssueRequest;
  readonly session: AcmeSession;
  readonly needs: IssueNeeds;
  /** As last stored. */
  issuance: Issuance;
  /** As long as no order may have been made. */
  spentOnOrder: Begun['spentOnOrder'];
  /** Its key survives a loss of power. */
  keySafe: boolean;
  /** The account got another key in the middle of it; what was presented has been presented anew. */
  hasNewKey: boolean;
  /** The job is over. */
  hasLeft: boolean;
}

async function save(run: Run, next: Issuance, durable: boolean): Promise<void> {
  await run.needs.changes.commit({ fence: run.request.fence, putIssuance: next, durable });
  run.issuance = next;
  run.keySafe ||= durable;
}

async function open(run: Run, signal: AbortSignal): Promise<AcmeOrder> {
  const { session, request, issuance, needs } = run;
  if (issuance.orderUrl !== undefined) return session.order(issuance.orderUrl, signal);
  const order = await heldNoLonger(run, newOrder(run, signal)).catch((error: unknown) => refused(run, error));
  await keep(run, order.url, signal);
  if (run.issuance.isProbe === true) await needs.budget.endHolds(request.issuer, run.issuance.names);
  needs.log.info({ lineage: request.lineage.id, issuer: session.issuer, order: order.url }, 'order created');
  return order;
}

/** Of a new order nothing but this answer tells, and nobody but who asked. */
async function heldNoLonger<T>(run: Run, answer: Promise<T>): Promise<T> {
  const { request, needs } = run;
  const { clock, log, leave } = needs;
  const cancel = clock.after(longestInProcessMs, () => {
    if (leave === undefined) return;
    run.hasLeft = true;
    log.info(
      { lineage: request.lineage.id, issuer: request.issuer },
      'the CA is long in answering; no job waits for it',
    );
    leave();
  });
  try {
    return await answer;
  } finally {
    cancel();
  }
}

/** An order that nobody knows of is made anew and counts twice: its URL waits for a store that is away for a moment. */
async function keep(run: Run, orderUrl: string, signal: AbortSignal): Promise<void> {
  const { clock } = run.needs;
  const until = clock.now() + longestInProcessMs;
  for (let pauseMs = 100; ; pauseMs *= 2) {
    try {
      return await save(run, { ...run.issuance, orderUrl }, false);
    } catch (error) {
      const isAway = isAgentError(error, 'store.unavailable') && clock.now() + pauseMs < until;
      if (!isAway) throw error;
    }
    await clock.sleep(pauseMs, signal);
  }
}

async function refused({ issuance, spentOnOrder, needs }: Run, error: unknown): Promise<never> {
  if (isUncounted(error)) await needs.budget.giveBack(spentOnOrder);
  throw isAgentError(error, 'acme.rateLimited') ? ofLimit(error, issuance) : error;
}

async function newOrder(run: Run, signal: AbortSignal): Promise<AcmeOrder> {
  const { session, issuance, request } = run;
  const { replaces, profile, names } = issuance;
  const mayRepeat = () => spendAgain(run);
  try {
    return await session.newOrder({ names, profile, replaces, mayRepeat }, signal);
  } catch (error) {
    if (replaces === undefined || !isRefusal(error, names)) throw error;
    run.needs.log.warn(
      { lineage: request.lineage.id, replaces, err: error },
      'the CA refused "replaces"; ordering without it',
    );
    if (!isUncounted(error) && !(await mayRepeat())) throw error;
    const bare = await withoutReplaces(run, request, run.needs);
    run.spentOnOrder = bare.spentOnOrder;
    await save(run, bare.issuance, false);
    return session.newOrder({ names, profile, mayRepeat }, signal);
  }
}

/** For each request that may have made an order; only the last can be seen not to have. */
async function spendAgain(run: Run): Promise<boolean> {
  const again = await run.needs.budget.spendAgain(run.spentOnOrder);
  run.spentOnOrder = again ?? [];
  return again !== undefined;
}

/**
 * Any verdict on the request itself, of which `replaces` may be the cause (RFC 9773 §5); one on names of it is about
 * those. An internal fault that the CA itself states counts too: Pebble does so for serial numbers that it cannot find again.
 */
function isRefusal(error: unknown, names: readonly string[]): boolean {
  if (!isAgentError(error) || verdictsIn(error, names).length > 0) return false;
  const { status, problem } = error.facts;
  if (error.code === 'order.alreadyReplaced' || (status === 500 && problem !== undefined)) return true;
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 429;
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
