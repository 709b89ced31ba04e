import { believable, nextAttempt } from '../backoff.ts';
import { type AgentError, isAgentError, toAgentError } from '../errors.ts';
import type { HeldLineage } from '../held-lineages.ts';
import type { Change, Fence, Ports } from '../ports.ts';
import { endOf } from '../precedence.ts';
import { deployAt, editRenewal } from '../records.ts';
import { failureOf } from '../renewal/failure.ts';
import type { Bundle, Certificate, Deployment, Domain, RenewalState, Revoking } from '../types.ts';
import { isHeld, lateAt, revocationItem } from './revoking.ts';

export type RevocationNeeds = Pick<
  Ports,
  'wishes' | 'certificates' | 'deployments' | 'renewals' | 'changes' | 'acme' | 'tasks' | 'clock' | 'log'
> & { readonly random: () => number };

/** A lineage under its lock; `domain` is absent where it is gone or disabled. */
export interface Doomed extends HeldLineage {
  readonly domain: Domain | undefined;
  readonly fence: Fence;
}

const minute = 60_000;
const hour = 60 * minute;

/**
 * Revokes what a person wants revoked, as far as its time has come: when the successor is seen at every target, so that
 * no visitor meets a revoked certificate; at once where nobody wants a successor, or the person said so. What a run that
 * died left undone the next one does: a second revocation counts as done. Resolves with the state as it is then.
 */
export async function revokeDue(
  doomed: Doomed,
  needs: RevocationNeeds,
  signal: AbortSignal,
): Promise<RenewalState> {
  for (const one of doomed.state.revoking ?? []) {
    const now = needs.clock.now();
    // A refusal has its ladder; what waits for a deployment is looked at whenever there is an occasion.
    if (one.failures > 0 && (believable(one.nextAt, now) ?? now) > now) continue;
    if (one.notAfter <= now) await close(doomed, one, { state: 'skipped', note: 'it has expired' }, needs);
    else if (await isRipe(doomed, one, needs)) await revoke(doomed, one, needs, signal);
    else await lookLater(doomed, one, needs);
  }
  return needs.renewals.get(doomed.lineage.id);
}

async function isRipe(doomed: Doomed, one: Revoking, needs: RevocationNeeds): Promise<boolean> {
  if (one.atOnce === true) return true;
  if (!(await isReplaced(doomed, one, needs))) return false;
  for (const id of one.shared ?? []) {
    const [lineage, certificate] = await Promise.all([
      needs.certificates.lineage(id),
      needs.certificates.certificate(id),
    ]);
    const domain = lineage === undefined ? undefined : await needs.wishes.domain(lineage.domain);
    if (lineage !== undefined && !(await isReplaced({ lineage, domain, certificate }, one, needs)))
      return false;
  }
  return true;
}

async function isReplaced(
  { lineage, domain, certificate }: Pick<Doomed, 'lineage' | 'domain' | 'certificate'>,
  one: Revoking,
  { deployments }: RevocationNeeds,
): Promise<boolean> {
  if (lineage.unwantedSince !== undefined || domain === undefined || domain.disabledAt !== undefined)
    return true;
  if (isHeld(one, certificate)) return false;
  const seen = await deployments.of(lineage.id);
  // What another lineage is shown in place of is not shown, whichever generation of it is the present one.
  const shows = ({ observed }: Deployment) =>
    observed?.fingerprint === certificate?.fingerprint || observed?.lineage !== undefined;
  return domain.deploy.every((target) => seen.some((at) => at.target === target && shows(at)));
}

async function revoke(
  doomed: Doomed,
  one: Revoking,
  needs: RevocationNeeds,
  signal: AbortSignal,
): Promise<void> {
  const { lineage } = doomed;
  const { serial, reason, issuer } = one;
  try {
    const leafDer = Buffer.from(one.leaf, 'base64');
    const key = async () => keyOf(await needs.certificates.bundle(lineage.id, one.generation), one);
    await needs.acme.revoke(issuer, { leafDer, reason, key }, signal);
  } catch (error) {
    if (signal.aborted || isAgentError(error, 'store.fenced') || isAgentError(error, 'store.unavailable'))
      throw error;
    return refused(doomed, one, { error: toAgentError(error), needs });
  }
  needs.log.info({ lineage: lineage.id, issuer, serial, reason }, 'certificate revoked');
  await close(doomed, one, { state: 'done', note: `${serial} is revoked` }, needs);
}

/** undefined: the generation was forgotten meanwhile, or its number is that of another certificate now. */
function keyOf(bundle: Bundle | undefined, one: Revoking): Bundle['privateKey'] | undefined {
  return isHeld(one, bundle?.certificate) ? bundle?.privateKey : undefined;
}

/** Done, or nothing left to do. What was revoked and is still held is no certificate to go on with. */
async function close(
  { lineage, domain, certificate, fence }: Doomed,
  one: Revoking,
  result: { readonly state: 'done' | 'skipped'; readonly note: string },
  needs: RevocationNeeds,
): Promise<void> {
  const now = needs.clock.now();
  const isGone = result.state === 'done';
  const isCurrent = isGone && isHeld(one, certificate);
  await editRenewal(lineage.id, needs, (state): Change => {
    const revoking = (state.revoking ?? []).filter((other) => !isSame(other, one));
    const next: RenewalState = {
      ...state,
      revoking: revoking.length === 0 ? undefined : revoking,
      ...(isGone && { revoked: withRevoked(state, one.fingerprint) }),
      ...(isCurrent && { revokedAt: state.revokedAt ?? now, retryAt: undefined }),
    };
    const { serial, reason, notAfter, requestedBy } = one;
    const facts = { serial, reason, notAfter, names: lineage.wanted.names, requestedBy, tell: false };
    const event = {
      type: 'certificate.revoked' as const,
      domain: lineage.domain,
      lineage: lineage.id,
      facts,
    };
    const due = isCurrent ? yieldingDeployments({ lineage, domain, certificate }, next) : [];
    return { fence, putRenewals: [next], due, events: isGone ? [event] : [], durable: true };
  });
  if (one.task !== undefined)
    await needs.tasks.settle(one.task, { id: revocationItem(lineage.id, one), ...result });
}

/** As many as there can be generations, and some more. */
const mostRevoked = 10;

/** The fingerprints of a state with this one. */
export function withRevoked({ revoked = [] }: RenewalState, fingerprint: string): readonly string[] {
  return [...new Set([...revoked, fingerprint])].slice(-mostRevoked);
}

/** When the targets of a lineage look whether the revoked certificate has to give way. */
export function yieldingDeployments(
  { lineage, domain, certificate }: Pick<Doomed, 'lineage' | 'domain' | 'certificate'>,
  { revokedAt }: RenewalState,
): ReturnType<typeof deployAt> {
  if (certificate === undefined || lineage.unwantedSince !== undefined) return [];
  const at = endOf({ certificate, revokedAt });
  return deployAt(domain?.deploy ?? [], lineage.id, at);
}

/** The CA did not take it: on a ladder of its own, and whoever asked is told now. */
async function refused(
  doomed: Doomed,
  one: Revoking,
  { error, needs }: { readonly error: AgentError; readonly needs: RevocationNeeds },
): Promise<void> {
  const { lineage } = doomed;
  const now = needs.clock.now();
  needs.log.warn({ lineage: lineage.id, serial: one.serial, code: error.code, err: error }, 'not revoked');
  const failures = one.failures + 1;
  const { retry, retryAt, message } = error;
  const validUntil = one.notAfter;
  const isFinal = retry !== 'soon';
  const next: Revoking = {
    ...one,
    failures,
    lastFailure: failureOf(error, one.issuer, now),
    nextAt: nextAttempt({ failures, retry, retryAt, validUntil, random: needs.random() }, now),
    task: isFinal ? undefined : one.task,
  };
  await replace(doomed, { one, next, tellNow: retry === 'blocked' }, needs);
  if (isFinal && one.task !== undefined)
    await needs.tasks.settle(one.task, {
      id: revocationItem(lineage.id, one),
      state: 'failed',
      note: message,
    });
}

/** Its successor is not there yet, or not seen everywhere; a deployment that ends asks for a look by itself. */
async function lookLater(doomed: Doomed, one: Revoking, needs: RevocationNeeds): Promise<void> {
  const now = needs.clock.now();
  const isLate = now >= lateAt(one) && one.toldAt === undefined;
  const waits = !isHeld(one, doomed.certificate);
  if (!waits && !isLate) return;
  const pause = Math.min(Math.max((now - one.requestedAt) / 10, minute), hour);
  await replace(doomed, { one, next: { ...one, nextAt: waits ? now + pause : undefined } }, needs);
}

async function replace(
  { lineage, certificate, fence }: Doomed,
  { one, next, tellNow }: { readonly one: Revoking; readonly next: Revoking; readonly tellNow?: boolean },
  needs: RevocationNeeds,
): Promise<void> {
  const now = needs.clock.now();
  const isNews = one.toldAt === undefined && (tellNow === true || now >= lateAt(one));
  const after = isNews ? { ...next, toldAt: now } : next;
  await editRenewal(lineage.id, needs, (state): Change => {
    const revoking = (state.revoking ?? []).map((other) => (isSame(other, one) ? after : other));
    const { serial, reason, issuer, notAfter, nextAt: retryAt, lastFailure } = after;
    const message = `${serial} was to be revoked (${reason}); ${whyNot(after, { state, certificate })}`;
    const facts = { serial, reason, issuer, notAfter, retryAt, message, code: lastFailure?.code };
    const about = { domain: lineage.domain, lineage: lineage.id };
    const event = {
      type: 'revocation.late' as const,
      ...about,
      facts: { ...facts, names: lineage.wanted.names },
    };
    return { fence, putRenewals: [{ ...state, revoking }], events: isNews ? [event] : [] };
  });
}

function whyNot(
  one: Revoking,
  { state, certificate }: { readonly state: RenewalState; readonly certificate: Certificate | undefined },
): string {
  if (one.lastFailure !== undefined) return `the CA did not: ${one.lastFailure.message}`;
  if (!isHeld(one, certificate)) return 'its successor was not seen at every target yet';
  const cause = state.lastFailure === undefined ? '' : `: ${state.lastFailure.message}`;
  return `there is no new certificate to take its place yet${cause} (acme-agent revoke ${state.lineage} --now does not wait)`;
}

function isSame(a: Revoking, b: Revoking): boolean {
  return a.fingerprint === b.fingerprint && a.requestedAt === b.requestedAt;
}
