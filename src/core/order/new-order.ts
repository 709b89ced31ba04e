import { isAgentError } from '../errors.ts';
import type { AcmeOrder } from '../ports.ts';
import { verdictsIn } from '../verdict.ts';
import { longestInProcessMs } from '../wait.ts';
import { withoutReplaces } from './issuance.ts';
import { isUncounted, ofLimit } from './room.ts';
import { type Run, save } from './run.ts';

/** The order under way as the CA has it, or a new one, whose URL is stored. */
export async function openOrder(run: Run, signal: AbortSignal): Promise<AcmeOrder> {
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
