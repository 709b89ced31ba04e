import { AgentError, isAgentError } from '../core/errors.ts';
import type { Clock, RenewalInfo } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { DirectorySource } from './directory.ts';
import { instantOf, isRecord, parseJson } from './document.ts';
import { errorOf, retryAfter } from './problem.ts';
import { withRetries } from './retry.ts';
import { type Answer, readingMs, type Transport } from './transport.ts';

interface AriNeeds {
  readonly issuer: string;
  readonly directory: DirectorySource;
  readonly transport: Transport;
  readonly clock: Clock;
}

/** RFC 9773 §4.1: a plain GET, without nonce or account. undefined: the directory has no renewalInfo. */
export async function fetchRenewalInfo(
  certId: string,
  { issuer, directory, transport, clock }: AriNeeds,
  signal: AbortSignal,
): Promise<RenewalInfo | undefined> {
  const ask = async (url: string, spentMs: number): Promise<Answer> => {
    const answer = await transport.send({ method: 'GET', url, patienceMs: readingMs - spentMs }, signal);
    if (answer.status >= 400) throw errorOf(answer, issuer, clock.now());
    return answer;
  };
  const at = async (base: string) =>
    readRenewalInfo(
      await withRetries(
        { run: (spentMs) => ask(`${base.replace(/\/$/, '')}/${certId}`, spentMs) },
        clock,
        signal,
      ),
      clock.now(),
    );
  const { renewalInfo } = (await directory.get(signal)).resources;
  if (renewalInfo === undefined) return undefined;
  try {
    return await at(renewalInfo);
  } catch (error) {
    if (!isAgentError(error) || error.facts.status !== 404) throw error;
    // The CA may have moved it since its directory was fetched.
    const moved = (await directory.refresh(signal)).resources.renewalInfo;
    if (moved === renewalInfo) throw error;
    return moved === undefined ? undefined : at(moved);
  }
}

function readRenewalInfo(answer: Answer, now: Instant): RenewalInfo {
  const document = parseJson(answer);
  const window = isRecord(document) && isRecord(document.suggestedWindow) ? document.suggestedWindow : {};
  const [start, end] = [instantOf(window.start), instantOf(window.end)];
  // A window that ends before it begins counts as no answer (RFC 9773 §4.2).
  if (start === undefined || end === undefined || end <= start)
    throw new AgentError('acme.response', `${answer.url} names no window in which to renew`, {
      facts: { url: answer.url, status: answer.status },
    });
  const { explanationURL } = document as { readonly explanationURL?: unknown };
  return { start, end, explanationUrl: webAddress(explanationURL), retryAfterMs: retryAfter(answer, now) };
}

/** Shown to people: nothing but an address of the web. */
function webAddress(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 500 && /^https?:\/\/[!-~]+$/.test(value)
    ? value
    : undefined;
}
