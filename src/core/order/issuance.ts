import { type ErrorCode, toAgentError } from '../errors.ts';
import { sameNames } from '../names.ts';
import type { AcmeSession, Fence, Ports } from '../ports.ts';
import { isSameCa } from '../renewal/failover.ts';
import type {
  Certificate,
  Domain,
  Instant,
  Issuance,
  Lineage,
  PreflightMode,
  RenewalState,
  RenewalWindow,
} from '../types.ts';
import { deadline } from '../wait.ts';
import { idleEvents } from './by-hand.ts';
import { chooseKey } from './key-choice.ts';
import { type PreflightNeeds, preflight } from './preflight.ts';
import { chooseProfile } from './profile-choice.ts';
import { checkProfile, profileRefusal } from './profile-rules.ts';
import { admitted, type Spent } from './room.ts';

export type IssuanceNeeds = Pick<
  Ports,
  'budget' | 'certificates' | 'changes' | 'pki' | 'solvers' | 'clock' | 'log'
> &
  PreflightNeeds;

export interface IssueRequest {
  readonly lineage: Lineage;
  readonly domain: Domain;
  /** To order now, of those that the lineage wants. */
  readonly names: readonly string[];
  /** An order under way at another one is abandoned. */
  readonly issuer: string;
  /** Current certificate, if any. */
  readonly predecessor: Certificate | undefined;
  readonly fence: Fence;
  /** The order under way, as read under the lock. */
  readonly open: Issuance | undefined;
  /** As it was before the order. */
  readonly state: RenewalState;
  /** The CA's limits must not delay it any more. */
  readonly urgent: boolean;
  readonly preflight: PreflightMode;
  /** A person adds what proves the names. */
  readonly isByHand: boolean;
}

/** Clean-up has this long, whatever happened to the job. */
const cleanUpMs = 10_000;
const staleMs = 7 * 86_400_000;
/** An answer about an order that makes no sense for so long is not going to make any. */
const nonsenseMs = 3_600_000;

/** These say nothing about the order itself. */
const passing: readonly ErrorCode[] = [
  'acme.network',
  'acme.server',
  'acme.badNonce',
  'acme.rateLimited',
  'store.unavailable',
];
/** Maybe the answer is a faulty one, maybe the order. */
const nonsense: readonly ErrorCode[] = ['acme.response', 'order.certificate', 'bug'];

/**
 * The issuance under way, unless it is for another wish, without a name that is not left out any more, at another issuer,
 * of another account, or too old to go on with. One whose order is not known is begun anew: the CA may have counted that
 * order, and will count the next one.
 */
export async function resumable(
  { lineage, issuer, fence, open: stored, state: { leftOut } }: IssueRequest,
  { accountUrl }: AcmeSession,
  needs: IssuanceNeeds,
): Promise<Issuance | undefined> {
  if (stored === undefined) return undefined;
  const same =
    stored.orderUrl !== undefined &&
    sameNames(stored.wanted.names, lineage.wanted.names) &&
    lineage.wanted.names.every((name) => stored.names.includes(name) || leftOut?.[name] !== undefined) &&
    stored.wanted.keyType === lineage.wanted.keyType &&
    stored.wanted.challenge === lineage.wanted.challenge &&
    stored.wanted.profile?.name === lineage.wanted.profile?.name &&
    stored.issuer === issuer &&
    (stored.account ?? accountUrl) === accountUrl &&
    isSameCa(stored.wanted, lineage.wanted, issuer);
  if (same && needs.clock.now() - stored.startedAt < staleMs) return stored;
  await abandon(stored, fence, needs);
  return undefined;
}

/** An issuance and what its order itself cost; only the run that took it knows whether the CA may have counted it. */
export interface Begun extends Pick<Spent, 'spentOnOrder'> {
  readonly issuance: Issuance;
}

/** Looked at, admitted by the CA's limits, with its key and CSR, and stored: from here on any run can go on with it. */
export async function begin(
  request: IssueRequest,
  session: AcmeSession,
  needs: IssuanceNeeds,
  signal: AbortSignal,
): Promise<Begun> {
  const { lineage, names, fence } = request;
  const { issuer } = session;
  const directoryUrl = lineage.wanted.directories?.[lineage.wanted.issuers.indexOf(issuer)];
  const planned = { names, issuer, directoryUrl, isByHand: request.isByHand };
  const fits = (profile: string | undefined) => profileRefusal({ ...planned, profile }) === undefined;
  const profile = chooseProfile(lineage.wanted.profile, session, fits);
  checkProfile({ ...planned, profile });
  await preflight(request, session, needs, signal);
  const replaces = replaceable(request.predecessor, session);
  const isAdvised = replaces !== undefined && isInside(request.state.window, needs.clock.now());
  const { spentOnOrder, ...spent } = await admitted(request, { isAdvised, issuer }, needs);
  const privateKey = await chooseKey(request, needs);
  const issuance: Issuance = {
    lineage: lineage.id,
    wanted: lineage.wanted,
    names,
    issuer,
    account: session.accountUrl,
    privateKey,
    csrDer: needs.pki.createCsr(names, privateKey),
    startedAt: needs.clock.now(),
    replaces,
    profile,
    ...spent,
    presented: {},
  };
  await needs.changes.commit({ fence, putIssuance: issuance });
  return { issuance, spentOnOrder };
}

/** The CA refused `replaces`: the order goes on without it, and without the exemption that comes with it. */
export async function withoutReplaces(
  { issuance, spentOnOrder: before }: Begun,
  request: IssueRequest,
  needs: Pick<IssuanceNeeds, 'budget'>,
): Promise<Begun> {
  const bare = { ...issuance, replaces: undefined };
  if (!isInside(request.state.window, issuance.startedAt)) return { issuance: bare, spentOnOrder: before };
  const { issuer } = issuance;
  const { spentOnOrder, ...spent } = await admitted(request, { isAdvised: false, issuer }, needs);
  return { issuance: { ...bare, ...spent }, spentOnOrder };
}

function isInside(window: RenewalWindow | undefined, at: Instant): boolean {
  return window !== undefined && at >= window.start && at < window.end;
}

/** `replaces` only within one account of one CA that advertises renewal information (RFC 9773 §5). */
function replaceable(predecessor: Certificate | undefined, session: AcmeSession): string | undefined {
  const same = predecessor?.issuer === session.issuer && predecessor.account === session.accountUrl;
  return session.hasRenewalInfo && same ? predecessor.ariCertId : undefined;
}

/** An order that another run can go on with: it is there, and maybe issued already. */
export function mayGoOn(error: unknown, issuance: Issuance, now: Instant): boolean {
  const { code, facts } = toAgentError(error);
  const isGone = facts.status === 404 || facts.status === 410;
  if (issuance.orderUrl === undefined || isGone) return false;
  const age = now - issuance.startedAt;
  return passing.includes(code) ? age <= staleMs : nonsense.includes(code) && age <= nonsenseMs;
}

/** Removes what an order presented and forgets it: it is done, or nobody wants it any more. */
export async function abandon(
  issuance: Issuance,
  fence: Fence,
  needs: Pick<IssuanceNeeds, 'budget' | 'changes' | 'solvers' | 'clock' | 'log'>,
): Promise<void> {
  await cleanUp(issuance, needs);
  await needs.changes.commit({ fence, dropIssuance: issuance.lineage, events: idleEvents(issuance) });
  if (issuance.finalizedAt === undefined) await needs.budget.giveBack(issuance.spent ?? []);
}

/** Takes away what it presented, within a deadline of its own. What fails stays in the journal, for upkeep. */
export async function cleanUp(
  issuance: Issuance,
  { solvers, clock, log }: Pick<IssuanceNeeds, 'solvers' | 'clock' | 'log'>,
): Promise<void> {
  const presented = Object.values(issuance.presented);
  if (presented.length === 0) return;
  const { signal, cancel } = deadline(
    clock,
    cleanUpMs,
    () => new Error(`it took longer than ${cleanUpMs / 1000} s`),
  );
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
