import { isAgentError } from '../errors.ts';
import type { Change, Ports } from '../ports.ts';
import { editRenewal } from '../records.ts';
import type { Instant, NewEvent, RenewalWindow } from '../types.ts';
import { type Advice, adviceDueAt, takeAdvice } from './advice.ts';
import { isSameCa } from './failover.ts';
import { type Held, type OutcomeNeeds, pointOf } from './held.ts';

/** Asks the CA for its advice on the certificate that is held, if that is due, and writes down what follows from it. */
export async function consult(
  held: Held,
  needs: OutcomeNeeds & Pick<Ports, 'acme'>,
  signal: AbortSignal,
): Promise<Held> {
  const { lineage, certificate, fence } = held;
  const { clock, settings, renewals, log } = needs;
  const about = askable(held, needs);
  if (certificate === undefined || about === undefined) return held;
  const advice = await ask(about, needs, signal);
  const draw = {
    certificate,
    ceilingMs: settings().renewalCeilingMs,
    ownAt: pointOf(certificate, needs, undefined),
    random: needs.random(),
    now: clock.now(),
  };
  await editRenewal(lineage.id, needs, (state): Change => {
    const taken = takeAdvice(state, advice, draw);
    const renewAt = pointOf(certificate, needs, taken.window);
    const news = isNews(state.window, taken.window)
      ? [adviceEvent(held, state.window, { ...taken, renewAt })]
      : [];
    return { fence, putRenewals: [{ ...state, ...taken, renewAt }], events: news };
  });
  const state = await renewals.get(lineage.id);
  if (isNews(held.state.window, state.window))
    log.info(
      { lineage: lineage.id, ...state.window, renewAt: state.renewAt },
      'the CA named a window in which to renew',
    );
  return { ...held, state };
}

/** A CA must not be asked about what has expired, or while its replacement is under way (RFC 9773 §4.3). */
function askable(
  { lineage, certificate, state, open }: Held,
  { clock, settings }: OutcomeNeeds,
): { readonly issuer: string; readonly certId: string } | undefined {
  const now = clock.now();
  const { issuer, ariCertId: certId, notAfter = now } = certificate ?? {};
  if (certificate === undefined || issuer === undefined || certId === undefined) return undefined;
  // Where its name stands for another CA now, that one knows nothing of it.
  if (!settings().issuers.includes(issuer) || !isSameCa(certificate.wanted, lineage.wanted, issuer))
    return undefined;
  const isDue = (adviceDueAt(state, now) ?? Number.POSITIVE_INFINITY) <= now;
  return isDue && open === undefined && now < notAfter ? { issuer, certId } : undefined;
}

async function ask(
  { issuer, certId }: { readonly issuer: string; readonly certId: string },
  { acme, clock, log }: Pick<Ports, 'acme' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<Advice> {
  try {
    return (await acme.renewalInfo(issuer, certId, signal)) ?? 'none';
  } catch (err) {
    if (signal.aborted || isAgentError(err, 'store.unavailable')) throw err;
    log.info({ issuer, certId, err }, 'the CA gave no usable renewal information');
    return { retryAfterMs: askedToWait(err, clock.now()) };
  }
}

/** Of a CA that is busy, or had too many questions; any other error is a long-term one (RFC 9773 §4.3.3). */
function askedToWait(error: unknown, now: Instant): number | undefined {
  if (!isAgentError(error) || error.retryAt === undefined) return undefined;
  const { status } = error.facts;
  return status === 429 || status === 503 ? error.retryAt - now : undefined;
}

function isNews(before: RenewalWindow | undefined, now: RenewalWindow | undefined): boolean {
  return before?.chosenAt !== now?.chosenAt || before?.explanationUrl !== now?.explanationUrl;
}

/** People hear of it once, where the CA says why: something is wrong there, or with their certificates. */
function adviceEvent(
  { lineage, certificate }: Held,
  before: RenewalWindow | undefined,
  { window, renewAt }: { readonly window?: RenewalWindow | undefined; readonly renewAt: Instant },
): NewEvent {
  const { id, domain, wanted } = lineage;
  const { issuer, notAfter } = certificate ?? {};
  const reason = window?.explanationUrl;
  const tell = reason !== undefined && reason !== before?.explanationUrl;
  const message = reason && `${issuer} wants it renewed at another time than usual, and says why: ${reason}`;
  const facts = {
    ...window,
    renewAt,
    names: wanted.names,
    issuer,
    notAfter,
    retryAt: renewAt,
    tell,
    message,
  };
  return { type: 'certificate.window', domain, lineage: id, facts };
}
