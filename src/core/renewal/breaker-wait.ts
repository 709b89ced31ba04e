import { type HeldLineage, heldOf } from '../held-lineages.ts';
import type { Ports } from '../ports.ts';
import { untilUncontested } from '../records.ts';
import type { Instant, Lineage, LineageId, RenewalState } from '../types.ts';
import type { Again } from '../wait.ts';
import { configuredIssuers, isOutageCode } from './failover.ts';
import type { Held, OutcomeNeeds } from './held.ts';
import { dueOfLineage } from './next-action.ts';
import { remember } from './remember.ts';
import { putOff } from './request.ts';

/** Not a failure of this lineage: the breakers are open, and others are probing. People hear of it all the same. */
export async function waitForBreaker(held: Held, until: Instant, needs: OutcomeNeeds): Promise<Again> {
  const { lineage } = held;
  const now = needs.clock.now();
  const issuers = configuredIssuers(lineage, needs.settings()).join(', ');
  await remember(held, needs, ({ state }) => {
    const message = `${issuers} failed for other certificates; one order at a time tries whether it is back`;
    const lastFailure = { at: now, code: 'acme.server', message };
    const failing = state.failingSince === undefined ? { failingSince: now, lastFailure } : {};
    const requested = state.requested && putOff(state.requested, until);
    return { state: { ...state, ...failing, retryAt: until, requested } };
  });
  return { again: until };
}

/** Lineages written at a time. */
const chunk = 100;
/** A CA that is just back gets one order after the other, and yet all within an hour. */
const betweenMs = 10_000;
const allWithinMs = 3_600_000;

type CloseNeeds = Pick<
  OutcomeNeeds,
  'certificates' | 'renewals' | 'changes' | 'issuerHealth' | 'jobs' | 'clock' | 'log'
>;

/**
 * The issuer does well, and its breaker closes: whoever waits for that, or failed while it was away, is tried now, those
 * that expire first at first. Should this be cut off, they look by themselves within an hour or two.
 */
export async function closeBreaker(
  issuer: string,
  close: () => Promise<void>,
  needs: CloseNeeds,
): Promise<void> {
  // Asked before anything else, so as it was before.
  const [[openedAt]] = await Promise.all([needs.issuerHealth.openedAt([issuer]), close()]);
  if (openedAt === undefined) return;
  const now = needs.clock.now();
  const all = await heldOf(await orderedAt(issuer, needs), needs);
  const waiting = all.filter(({ state }) => waitsFor(issuer, state, now));
  const inTurn = waiting.toSorted((a, b) => expiryOf(a) - expiryOf(b)).map(({ lineage }) => lineage);
  const stepMs = Math.min(betweenMs, allWithinMs / Math.max(inTurn.length, 1));
  const turns = new Map(inTurn.map(({ id }, index) => [id, now + Math.floor(index * stepMs)]));
  for (let from = 0; from < inTurn.length; from += chunk)
    await hurry(inTurn.slice(from, from + chunk), { issuer, turns }, needs);
  needs.log.info({ issuer, since: openedAt, waiting: inTurn.length }, 'the issuer is back');
  await needs.jobs.wake(
    'issue',
    inTurn.slice(0, 1).map(({ id }) => id),
  );
}

async function orderedAt(
  issuer: string,
  { certificates }: Pick<Ports, 'certificates'>,
): Promise<readonly Lineage[]> {
  const all = await certificates.lineages();
  return all.filter(({ source, wanted }) => source === 'acme' && wanted.issuers.includes(issuer));
}

function expiryOf({ certificate }: HeldLineage): Instant {
  return certificate?.notAfter ?? 0;
}

async function hurry(
  lineages: readonly Lineage[],
  { issuer, turns }: { readonly issuer: string; readonly turns: ReadonlyMap<LineageId, Instant> },
  needs: CloseNeeds,
): Promise<void> {
  await untilUncontested(async () => {
    const now = needs.clock.now();
    const held = await heldOf(lineages, needs);
    const hurried = held
      .filter(({ state }) => waitsFor(issuer, state, now))
      .map((one) => ({ ...one, state: triedAt(turns.get(one.lineage.id) ?? now, one.state) }));
    if (hurried.length === 0) return;
    await needs.changes.commit({
      putRenewals: hurried.map(({ state }) => state),
      due: hurried.flatMap((one) => dueOfLineage({ ...one, now })),
    });
  });
}

function waitsFor(
  issuer: string,
  { failingSince, lastFailure, retryAt = 0 }: RenewalState,
  now: Instant,
): boolean {
  if (failingSince === undefined || lastFailure === undefined || retryAt <= now) return false;
  return isOutageCode(lastFailure.code) && (lastFailure.issuer ?? issuer) === issuer;
}

function triedAt(at: Instant, state: RenewalState): RenewalState {
  const { requested, retryAt = at } = state;
  const sooner = Math.min(at, retryAt);
  const isLate = requested !== undefined && requested.at > sooner;
  return { ...state, retryAt: sooner, requested: isLate ? { ...requested, at: sooner } : requested };
}
