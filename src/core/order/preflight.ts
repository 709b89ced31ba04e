import { AgentError } from '../errors.ts';
import type { AcmeSession, Finding, Ports } from '../ports.ts';
import { editRenewal } from '../records.ts';
import { renewalLead } from '../renewal/renewal.ts';
import type { Certificate, PreflightMode, RenewalState, Settings, Warning } from '../types.ts';
import type { IssueRequest } from './issuance.ts';

export type PreflightNeeds = Pick<Ports, 'preflight' | 'renewals' | 'changes' | 'clock' | 'log'>;

/** In the last third of the renewal period, and after it, only the CA's own word stops an order. */
export function preflightMode(
  { certificate, state }: { readonly certificate: Certificate | undefined; readonly state: RenewalState },
  { settings, clock }: Pick<Ports, 'clock'> & { readonly settings: () => Settings },
): PreflightMode {
  const { preflight = 'on', renewalCeilingMs } = settings();
  if (preflight !== 'on' || certificate === undefined) return preflight;
  const lastThirdAt = certificate.notAfter - renewalLead(certificate, renewalCeilingMs) / 3;
  return state.revokedAt !== undefined || clock.now() > lastThirdAt ? 'warn' : 'on';
}

/**
 * Looks at the names before anything is spent at the CA. Throws what the CA is sure to say, as a verdict of its own would
 * be; what may go wrong is remembered with the renewal state. A look that fails stops nothing.
 */
export async function preflight(
  request: IssueRequest,
  session: AcmeSession,
  needs: PreflightNeeds,
  signal: AbortSignal,
): Promise<void> {
  if (request.preflight === 'off') return;
  const findings = await look(request, session, needs, signal);
  const stops = request.preflight === 'on' ? findings.filter(({ level }) => level === 'stop') : [];
  const amiss = findings.filter((finding) => finding.level !== 'fine' && !stops.includes(finding));
  await remember(amiss, request, needs);
  if (stops.length > 0) throw stopped(stops, session.issuer);
}

async function look(
  { lineage, names }: IssueRequest,
  { issuer, caaIdentities: identities, accountUrl: account }: AcmeSession,
  { preflight: port, log }: PreflightNeeds,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { challenge } = lineage.wanted;
  try {
    return await port.look({ issuer, ca: { identities, account }, names, challenge }, signal);
  } catch (err) {
    if (signal.aborted) throw err;
    log.warn({ lineage: lineage.id, err }, 'the names could not be looked at before the order');
    return [];
  }
}

/** Nothing is written as long as nothing changes. */
async function remember(
  findings: readonly Finding[],
  { lineage, issuer, fence, state: before }: IssueRequest,
  needs: PreflightNeeds,
): Promise<void> {
  if (isSame(before.warnings, findings, issuer)) return;
  const at = needs.clock.now();
  for (const { name, message } of findings)
    needs.log.warn(
      { lineage: lineage.id, issuer, name, reason: message },
      'something is amiss before an order',
    );
  const warnings = findings.map(({ name, message }): Warning => ({ at, issuer, name, message }));
  await editRenewal(lineage.id, needs, (state) => ({
    fence,
    putRenewals: [{ ...state, warnings: warnings.length === 0 ? undefined : warnings }],
  }));
}

function isSame(known: RenewalState['warnings'] = [], findings: readonly Finding[], issuer: string): boolean {
  const key = (one: { name: string; message: string }) => `${one.name} ${one.message}`;
  const before = new Set(known.map(key));
  return (
    known.length === findings.length &&
    known.every((one) => one.issuer === issuer) &&
    findings.every((one) => before.has(key(one)))
  );
}

/** CAA first: it says something of this CA alone, so that the next one is asked. */
function stopped(stops: readonly Finding[], issuer: string): AgentError {
  const code = stops.some((stop) => stop.code === 'challenge.caa') ? 'challenge.caa' : stops[0]?.code;
  const words = stops.filter((stop) => stop.code === code).map(({ message }) => message);
  return new AgentError(code ?? 'bug', `${issuer}: not ordered. ${words.join(' ')}`, {
    facts: { verdicts: stops, preflight: true },
  });
}

/** True for an order that was not made, so that no CA has counted anything. */
export function isStopped({ facts }: AgentError): boolean {
  return facts.preflight === true;
}
