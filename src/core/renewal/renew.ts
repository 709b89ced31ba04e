import { believable, believableRetry } from '../backoff.ts';
import { heldBy } from '../held-lineages.ts';
import { lineageLock } from '../locks.ts';
import { abandon } from '../order/issuance.ts';
import type { Fence, Lock, Ports } from '../ports.ts';
import { revokeDue } from '../revocation/revocation.ts';
import type { Instant, Issuance, LineageId, RenewalState } from '../types.ts';
import type { Again } from '../wait.ts';
import { type AttemptNeeds, attempt } from './attempt.ts';
import { waitForBreaker } from './breaker-wait.ts';
import { consult } from './consult.ts';
import { decide } from './decide.ts';
import { configuredIssuers } from './failover.ts';
import { forget } from './forget.ts';
import { type Held, toCase } from './held.ts';
import { issuerFor } from './issuer-choice.ts';
import { pausedUntil } from './pause.ts';
import { isAsked } from './request.ts';
import { rest } from './rest.ts';
import { reuse } from './reuse.ts';

export type RenewNeeds = AttemptNeeds & Pick<Ports, 'wishes' | 'deployments' | 'buckets' | 'locks'>;

/** So long nobody goes on with the order of a killed worker. */
const lockMs = 15_000;
const busyMs = 5000;

/**
 * Brings one lineage to where its wish is: decides, orders, stores, and writes down when to come back. Resolves with an
 * instant only while an order is under way or every issuer is down; a failure is state, not a rejection. May run twice
 * at once: the lock lets one work. A CA that is long in answering holds the lock, not whoever calls.
 */
export async function renew(
  lineageId: string,
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | undefined> {
  const lock = await needs.locks.tryAcquire(lineageLock(lineageId), lockMs);
  if (lock === undefined) return { again: needs.clock.now() + busyMs };
  return new Promise((resolve, reject) => {
    let isLeft = false;
    const leave = () => {
      isLeft = true;
      resolve({ again: needs.clock.now() + busyMs });
    };
    const work = renewUnder(lock, { lineageId, needs: { ...needs, leave }, signal });
    work.then(resolve, reject);
    work
      .then(() => (isLeft ? needs.jobs.wake('issue', [lineageId]) : undefined))
      .catch((err: unknown) => {
        if (isLeft)
          needs.log.warn({ lineage: lineageId, err }, 'an order that nobody waited for was broken off');
      });
  });
}

async function renewUnder(
  lock: Lock,
  { lineageId, needs, signal }: { lineageId: LineageId; needs: RenewNeeds; signal: AbortSignal },
): Promise<Again | undefined> {
  try {
    const both = AbortSignal.any([signal, lock.signal]);
    for (;;) {
      const step = await renewOnce({ lineageId, fence: lock }, needs, both);
      if (step !== 'look again') return step;
    }
  } finally {
    await lock.release();
  }
}

/** One look at the state, and at most one order. A wish that came meanwhile asks for another look. */
async function renewOnce(
  { lineageId, fence }: { lineageId: string; fence: Fence },
  needs: RenewNeeds,
  signal: AbortSignal,
): Promise<Again | 'look again' | undefined> {
  const loaded = await load(lineageId, fence, needs);
  if (loaded === undefined) return forget(lineageId, fence, needs, signal);
  if (loaded.open?.stored !== undefined) return conclude(loaded, loaded.open, needs);
  if (hasCompromisedKey(loaded, needs)) return drop(loaded, needs);
  const held = await consult(await afterRevocations(loaded, needs, signal), needs, signal);
  const reason = decide(toCase(held, needs));
  const { lineage, state, open } = held;
  const now = needs.clock.now();
  if (reason === undefined) {
    if (open !== undefined) await abandon(open, fence, needs);
    return rest({ ...held, open: undefined }, undefined, needs);
  }
  const configured = configuredIssuers(lineage, needs.settings());
  if (onLadder(state, now)) {
    const isLook = open !== undefined && isLookDue(open, now) && configured.includes(open.issuer);
    if (!isLook) return rest(held, undefined, needs);
    return attempt(held, { reason, issuer: open.issuer, isLook }, needs, signal);
  }
  const isPlain = open === undefined && state.requested?.force !== true;
  if (isPlain && (await reuse(held, reason, needs))) return 'look again';
  const until = pausedUntil(configured, state.paused, needs.clock.now());
  if (until !== undefined) return rest(held, until, needs);
  const choice = await issuerFor(held, needs);
  if ('lookAt' in choice) return waitForBreaker(held, choice.lookAt, needs);
  return attempt(held, { reason, ...choice, isLook: false }, needs, signal);
}

/** Waiting for its next attempt, and nobody asked to skip that. A forced wish that failed waits like all others. */
function onLadder(state: RenewalState, now: Instant): boolean {
  return !isAsked(state, now) && (believableRetry(state, now) ?? now) > now;
}

/** Its CA is long in finishing it, and is asked after it between two attempts. */
function isLookDue({ lookAt }: Issuance, now: Instant): boolean {
  return lookAt !== undefined && (believable(lookAt, now) ?? now) <= now;
}

/** A run stored its certificate and died before the commit point: what it left is done here. */
async function conclude(held: Held, open: Issuance, needs: RenewNeeds): Promise<'look again'> {
  const { serial = '', task } = open.stored ?? {};
  if (task !== undefined)
    await needs.tasks.settle(task, { id: held.lineage.id, state: 'done', note: serial });
  await abandon(open, held.fence, needs);
  return 'look again';
}

/** An order whose key somebody else has is not gone on with. */
function hasCompromisedKey({ open, state }: Held, { pki }: RenewNeeds): boolean {
  return open !== undefined && state.compromised?.includes(pki.keyId(open.privateKey)) === true;
}

async function drop({ open, fence }: Held, needs: RenewNeeds): Promise<'look again'> {
  if (open !== undefined) await abandon(open, fence, needs);
  return 'look again';
}

/** What is to be revoked, and can be, is. */
async function afterRevocations(held: Held, needs: RenewNeeds, signal: AbortSignal): Promise<Held> {
  return held.state.revoking === undefined ? held : { ...held, state: await revokeDue(held, needs, signal) };
}

async function load(lineageId: string, fence: Fence, needs: RenewNeeds): Promise<Held | undefined> {
  const [held, open] = await Promise.all([heldBy(lineageId, needs), needs.issuances.get(lineageId)]);
  if (held?.lineage.source !== 'acme') return undefined;
  const domain = await needs.wishes.domain(held.lineage.domain);
  return domain === undefined || domain.disabledAt !== undefined
    ? undefined
    : { ...held, domain, open, fence };
}
