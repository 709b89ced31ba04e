import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Secret } from '../core/secret.ts';
import type { DirectorySource } from './directory.ts';
import { parseJson } from './document.ts';
import type { AcmeApi, AcmeHttp, ApiAnswer, RequestOptions } from './library.ts';
import type { Nonces } from './nonces.ts';
import { errorOf } from './problem.ts';
import { changingMs, readingMs, type Transport } from './transport.ts';

/** At a CA that rejects every second nonce, one call in two million still fails. */
const maxBadNonces = 20;

export interface ClientNeeds {
  readonly issuer: string;
  readonly eab?: { readonly kid: string; readonly hmacKey: Secret<string> } | undefined;
  readonly transport: Transport;
  readonly directory: DirectorySource;
  readonly nonces: Nonces;
  readonly clock: Clock;
}

export interface SignedCall {
  readonly url: string;
  readonly payload: object | null;
  /** Signed as the account; else with the bare key, as for newAccount. */
  readonly withKid: boolean;
  readonly bound: boolean;
  /** By earlier tries. */
  readonly spentMs: number;
}

/**
 * Signs and sends until the CA takes the nonce (RFC 8555 §6.5); each try has a signature of its own. What became of one can
 * be seen later, but of one for an order: only its answer says where that is, so who does not wait for it pays for an
 * order that nobody knows of, and never gets one from a CA that always takes so long.
 */
export async function signedRequest(api: AcmeApi, needs: ClientNeeds, call: SignedCall): Promise<ApiAnswer> {
  const { http } = api;
  const kid = call.withKid ? api.getAccountUrl() : null;
  const payload = call.bound ? bindExternally(http, needs, call) : call.payload;
  // A POST-as-GET reads, and the answer to a challenge, which says nothing, can be given as often as one likes.
  const isReading = call.payload === null || Object.keys(call.payload).length === 0;
  const isOrder = call.payload !== null && 'identifiers' in call.payload;
  const answerMs = isOrder ? changingMs : readingMs;
  const until = needs.clock.now() + (isReading ? readingMs : changingMs) - call.spentMs;
  const patienceMs = () => Math.max(1, until - needs.clock.now());
  let nonce: string | undefined;
  for (let rejected = 0; ; rejected++) {
    nonce ??= await http.getNonce(Math.min(patienceMs(), readingMs));
    const got = await http.request(call.url, 'post', {
      data: http.createSignedBody(call.url, payload, { nonce, kid }),
      patienceMs: Math.min(patienceMs(), Math.max(1, answerMs - call.spentMs)),
      unheardMs: isReading || isOrder ? 0 : changingMs - readingMs,
    });
    if (got.status < 400) {
      keepNonce(needs, got);
      return got;
    }
    const error = errorOf(got.answer, needs.issuer, needs.clock.now());
    if (error.code !== 'acme.badNonce' || rejected >= maxBadNonces) {
      keepNonce(needs, got);
      throw error;
    }
    nonce = nonceOf(got);
  }
}

/** RFC 8555 §7.3.4. */
function bindExternally(http: AcmeHttp, { eab }: ClientNeeds, { url, payload }: SignedCall): object | null {
  if (!eab) return payload;
  const externalAccountBinding = http.createSignedHmacBody(eab.hmacKey.reveal(), url, http.getJwk(), {
    kid: eab.kid,
  });
  return { ...payload, externalAccountBinding };
}

export async function getNonce(http: AcmeHttp, needs: ClientNeeds, patienceMs = readingMs): Promise<string> {
  const held = needs.nonces.take();
  if (held !== undefined) return held;
  const { newNonce = '' } = await http.getDirectory();
  // GET and not HEAD: Node's HTTP stacks close the connection after the answer to a HEAD.
  const got = await http.request(newNonce, 'get', { patienceMs });
  if (got.status >= 400) throw errorOf(got.answer, needs.issuer, needs.clock.now());
  const nonce = nonceOf(got);
  if (nonce === undefined) throw new AgentError('acme.response', `${newNonce} answered without a nonce`);
  return nonce;
}

export async function request(
  { transport }: ClientNeeds,
  call: { readonly url: string; readonly method: string } & RequestOptions,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const { url, data, patienceMs, unheardMs } = call;
  const answer = await transport.send(
    data === undefined
      ? { method: 'GET', url, patienceMs }
      : { method: 'POST', url, body: JSON.stringify(data), patienceMs, unheardMs },
    signal,
  );
  const isJson = /json/.test(answer.headers['content-type'] ?? '');
  return {
    status: answer.status,
    headers: answer.headers,
    data: isJson ? parseJson(answer) : answer.text,
    answer,
  };
}

function keepNonce({ nonces }: ClientNeeds, got: ApiAnswer): void {
  const nonce = nonceOf(got);
  if (nonce !== undefined) nonces.add(nonce);
}

/** One that is not base64url is to be ignored (RFC 8555 §6.5.1). */
function nonceOf({ headers }: ApiAnswer): string | undefined {
  const nonce = headers['replay-nonce'];
  return typeof nonce === 'string' && /^[\w-]+$/.test(nonce) ? nonce : undefined;
}
