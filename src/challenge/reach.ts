import { toAgentError } from '../core/errors.ts';
import type { HttpResponse, Validator } from '../core/http.ts';
import type { ChallengeTokens } from '../core/ports.ts';

/** What came of asking one address for a trial answer, as a CA would. */
export type Reached =
  | { readonly saw: 'ours' }
  /** It was reached, and what it says no CA can take. `said`: the rest of a sentence about the address. */
  | { readonly saw: 'other'; readonly said: string }
  /** It was reached, and may answer a CA otherwise. */
  | { readonly saw: 'unclear'; readonly said: string }
  /** `isOurs`: the fault is, since this machine has no way there. */
  | { readonly saw: 'nothing'; readonly said: string; readonly isOurs: boolean };

export interface FetchNeeds {
  readonly http: Validator;
  readonly tokens: Pick<ChallengeTokens, 'trial'>;
  readonly addressesOf: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface Place {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** To which redirects may lead. */
  readonly ports: readonly number[];
}

const timeoutMs = 4000;
const maxBytes = 4096;
const noWay = ['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** GET of a trial token at one address of a name (RFC 8555 §8.3). Rejects with the signal's reason only. */
export async function fetchTrial(
  { name, address, port, ports }: Place,
  { http, tokens, addressesOf }: FetchNeeds,
  signal: AbortSignal,
): Promise<Reached> {
  const { token, keyAuthorization } = tokens.trial();
  const resolve = async (host: string) => (host === name ? [address] : addressesOf(host, signal));
  try {
    const request = { timeoutMs, maxBytes, signal, resolve, ports };
    return judge(await http.requestAsValidator(urlOf(name, port, token), request), keyAuthorization);
  } catch (error) {
    if (signal.aborted) return { saw: 'nothing', said: 'it did not answer in time', isOurs: false };
    const { message, facts, cause } = toAgentError(error);
    if (facts.answered === true) return { saw: 'other', said: message };
    return { saw: 'nothing', said: message, isOurs: noWay.includes(errno(cause)) };
  }
}

export function urlOf(name: string, port: number, token: string): string {
  const host = name.includes(':') ? `[${name}]` : name;
  return `http://${host}${port === 80 ? '' : `:${port}`}/.well-known/acme-challenge/${token}`;
}

/** Its text is never shown: it may be anything. */
function judge({ status, text }: HttpResponse, expected: string): Reached {
  if (status === 200)
    return text().trimEnd() === expected
      ? { saw: 'ours' }
      : { saw: 'other', said: 'it answered with something else' };
  const said = `it answered with status ${status}`;
  // A server in trouble, or one that keeps out programs it does not know, may answer a CA.
  return { saw: status < 300 || status === 404 || status === 410 ? 'other' : 'unclear', said };
}

function errno(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return '';
}
