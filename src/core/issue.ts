import { authorize, explain } from './authorize.ts';
import { AgentError, isAgentError } from './errors.ts';
import { sameNames } from './names.ts';
import type { AcmeOrder, AcmeSession, Change, Fence, Ports } from './ports.ts';
import type { Bundle, Certificate, Domain, Instant, Issuance, Lineage } from './types.ts';
import { type Again, deadline, longestInProcessMs, pollPause } from './wait.ts';

export type IssueNeeds = Pick<
  Ports,
  'acme' | 'budget' | 'changes' | 'issuances' | 'pki' | 'solvers' | 'clock' | 'log'
>;

export interface IssueRequest {
  readonly lineage: Lineage;
  readonly domain: Domain;
  /** An order under way at another one is abandoned. */
  readonly issuer: string;
  /** Current certificate, if any. */
  readonly predecessor: Certificate | undefined;
  readonly fence: Fence;
  /** The CA's limits must not delay it any more. */
  readonly urgent: boolean;
}

/** What the CA issued, verified; storing it is the caller's, and then `finish`. */
export interface Issued {
  readonly bundle: Bundle;
  /** Begun maybe in another process. */
  readonly issuance: Issuance;
  /** Removes what was presented, forgets the order and writes when to come back: the commit point. */
  readonly finish: (due: Change['due']) => Promise<void>;
}

/** Clean-up has this long, whatever happened to the job. */
const cleanUpMs = 30_000;
const staleMs = 7 * 86_400_000;

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
  const stored = await resumable(request, needs);
  const session = await needs.acme.session(request.issuer, signal);
  const run = createRun(request, session, stored ?? (await begin(request, session, needs)), needs);
  try {
    const order = await run.open(signal);
    const valid = await run.drive(order, signal);
    return 'again' in valid ? valid : await run.collect(valid, signal);
  } catch (error) {
    await run.failed(error, signal);
    throw error;
  }
}

/** The issuance under way, unless it is for another wish, at another issuer, or too old to go on with. */
async function resumable(
  { lineage, issuer, fence }: IssueRequest,
  needs: IssueNeeds,
): Promise<Issuance | undefined> {
  const stored = await needs.issuances.get(lineage.id);
  if (stored === undefined) return undefined;
  const same =
    sameNames(stored.wanted.names, lineage.wanted.names) &&
    stored.wanted.keyType === lineage.wanted.keyType &&
    stored.wanted.challenge === lineage.wanted.challenge &&
    stored.issuer === issuer;
  if (same && needs.clock.now() - stored.startedAt < staleMs) return stored;
  await abandon(stored, fence, needs);
  return undefined;
}

/** Removes what an order presented and forgets it: it is done, or nobody wants it any more. */
export async function abandon(
  issuance: Issuance,
  fence: Fence,
  needs: Pick<IssueNeeds, 'changes' | 'solvers' | 'clock' | 'log'>,
): Promise<void> {
  await cleanUp(issuance, needs);
  await needs.changes.commit({ fence, dropIssuance: issuance.lineage });
}

async function begin(request: IssueRequest, session: AcmeSession, needs: IssueNeeds): Promise<Issuance> {
  const { lineage, predecessor, fence, urgent } = request;
  const { names, keyType } = lineage.wanted;
  const replaces = replaceable(predecessor, session);
  const admission = await needs.budget.admit({
    issuer: session.issuer,
    names,
    replaces: replaces !== undefined,
    urgent,
  });
  if (!admission.admitted)
    throw new AgentError(
      'acme.rateLimited',
      `the ${admission.limit} limit of ${session.issuer} has no room now`,
      {
        retryAt: admission.readyAt,
        facts: { budget: true },
      },
    );
  const privateKey = await needs.pki.generateKey(keyType);
  const issuance: Issuance = {
    lineage: lineage.id,
    wanted: lineage.wanted,
    issuer: session.issuer,
    privateKey,
    csrDer: needs.pki.createCsr(names, privateKey),
    startedAt: needs.clock.now(),
    replaces,
    profile: profileFor(lineage, session),
    presented: {},
  };
  await needs.changes.commit({ fence, putIssuance: issuance });
  return issuance;
}

/** `replaces` only within one account of one CA that advertises renewal information (RFC 9773 §5). */
function replaceable(predecessor: Certificate | undefined, session: AcmeSession): string | undefined {
  const same = predecessor?.issuer === session.issuer && predecessor.account === session.accountUrl;
  return session.hasRenewalInfo && same ? predecessor.ariCertId : undefined;
}

function profileFor({ wanted: { profile } }: Lineage, session: AcmeSession): string | undefined {
  if (profile === undefined || session.profiles.includes(profile.name)) return profile?.name;
  if (!profile.required) return undefined;
  const offered = session.profiles.join(', ') || 'none';
  throw new AgentError(
    'order.profile',
    `${session.issuer} has no profile "${profile.name}"; it offers ${offered}`,
  );
}

function createRun(request: IssueRequest, session: AcmeSession, begun: Issuance, needs: IssueNeeds) {
  const { lineage, domain, fence } = request;
  const { changes, clock, pki, log } = needs;
  let issuance = begun;
  let keySafe = false;

  async function save(next: Issuance, durable: boolean): Promise<void> {
    await changes.commit({ fence, putIssuance: next, durable });
    issuance = next;
    keySafe ||= durable;
  }

  async function open(signal: AbortSignal): Promise<AcmeOrder> {
    if (issuance.orderUrl !== undefined) return session.order(issuance.orderUrl, signal);
    const order = await newOrder(signal);
    await save({ ...issuance, orderUrl: order.url }, false);
    log.info({ lineage: lineage.id, issuer: session.issuer, order: order.url }, 'order created');
    return order;
  }

  async function newOrder(signal: AbortSignal): Promise<AcmeOrder> {
    const { replaces, profile, wanted } = issuance;
    try {
      return await session.newOrder({ names: wanted.names, profile, replaces }, signal);
    } catch (error) {
      if (replaces === undefined || !isRefusal(error)) throw error;
      log.warn(
        { lineage: lineage.id, replaces, err: error },
        'the CA refused "replaces"; ordering without it',
      );
      await save({ ...issuance, replaces: undefined }, false);
      return session.newOrder({ names: wanted.names, profile }, signal);
    }
  }

  /** Until the certificate is there to be fetched. */
  async function drive(opened: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder | Again> {
    let order = opened;
    const until = clock.now() + 6 * longestInProcessMs;
    for (let poll = 0; ; ) {
      if (order.status === 'valid') return order;
      if (order.status === 'invalid') throw await explain(order, session, signal);
      if (order.status === 'processing') {
        const pause = pollPause(poll++, order.retryAfterMs, 20);
        if (pause > longestInProcessMs || clock.now() + pause > until) return { again: clock.now() + pause };
        await clock.sleep(pause, signal);
        order = await session.order(order.url, signal);
      } else {
        const next = order.status === 'pending' ? await answer(order, signal) : await finalize(order, signal);
        if ('again' in next) return next;
        order = next;
      }
    }
  }

  function answer(order: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder | Again> {
    const remember = (presented: Issuance['presented']) => save({ ...issuance, presented }, true);
    return authorize({ order, session, issuance, domain }, { ...needs, remember }, signal);
  }

  async function finalize(order: AcmeOrder, signal: AbortSignal): Promise<AcmeOrder> {
    if (!keySafe) await save(issuance, true);
    try {
      return await session.finalize(order, issuance.csrDer, signal);
    } catch (error) {
      // The CA may have taken an earlier finalize whose answer was lost; its order says so.
      if (!isAgentError(error, 'acme.malformed') && !isAgentError(error, 'acme.network')) throw error;
      const seen = await session.order(order.url, signal);
      if (seen.status === 'ready') throw error;
      return seen;
    }
  }

  async function collect(order: AcmeOrder, signal: AbortSignal): Promise<Issued> {
    const cleaned = cleanUp(issuance, needs);
    const pem = await session.certificate(order, signal);
    const now = clock.now();
    const facts = pki.readIssued(pem, { names: issuance.wanted.names, privateKey: issuance.privateKey, now });
    const { leafDer, chainDer, ...publicFacts } = facts;
    const certificate: Certificate = {
      ...publicFacts,
      lineage: lineage.id,
      generation: (lineage.generations.at(-1) ?? 0) + 1,
      source: 'acme',
      issuer: session.issuer,
      account: session.accountUrl,
      issuedAt: now,
      wanted: issuance.wanted,
    };
    const finish: Issued['finish'] = async (due) => {
      await cleaned;
      await changes.commit({ fence, dropIssuance: lineage.id, due });
    };
    return {
      bundle: { certificate, leafDer, chainDer, privateKey: issuance.privateKey },
      issuance,
      finish,
    };
  }

  /** An order that may still go on is kept for the next run; what cannot is cleaned up and forgotten. */
  async function failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted || isAgentError(error, 'store.fenced') || mayGoOn(error, issuance, clock.now()))
      return;
    await abandon(issuance, fence, needs);
  }

  return { open, drive, collect, failed };
}

/** Network and server faults say nothing about the order. */
function mayGoOn(error: unknown, issuance: Issuance, now: Instant): boolean {
  if (issuance.orderUrl === undefined || now - issuance.startedAt > staleMs) return false;
  return (
    ['acme.network', 'acme.server', 'acme.badNonce', 'acme.response', 'store.unavailable', 'bug'] as const
  ).some((code) => isAgentError(error, code));
}

/**
 * Any verdict on the request itself, of which `replaces` may be the cause (RFC 9773 §5). An internal fault that the CA
 * itself states counts too: Pebble does so for serial numbers that it cannot find again.
 */
function isRefusal(error: unknown): boolean {
  if (!isAgentError(error)) return false;
  const { status, problem } = error.facts;
  if (error.code === 'order.alreadyReplaced' || (status === 500 && problem !== undefined)) return true;
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 429;
}

async function cleanUp(
  issuance: Issuance,
  { solvers, clock, log }: Pick<IssueNeeds, 'solvers' | 'clock' | 'log'>,
): Promise<void> {
  const presented = Object.values(issuance.presented);
  if (presented.length === 0) return;
  const { signal, cancel } = deadline(clock, cleanUpMs, 'cleaning up');
  try {
    const types = new Set(presented.map(({ type }) => type));
    for (const type of types)
      await solvers.get(type).cleanUp(
        presented.filter((challenge) => challenge.type === type).map(({ id }) => id),
        signal,
      );
  } catch (err) {
    log.warn({ lineage: issuance.lineage, err }, 'clean-up after validation failed; the journal keeps it');
  } finally {
    cancel();
  }
}
