import type { z } from 'zod';
import { AgentError, type ErrorCode, isAgentError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { PluginContext } from './context.ts';
import type { Session } from './session.ts';
import { bodyOf, type OutgoingRequest, urlOf, type VendorRequest } from './vendor-request.ts';
import { cleanWords, parseJson, secretParts, wordsOf } from './vendor-words.ts';

export interface VendorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Parsed JSON; undefined: the body is none. */
  readonly body: unknown;
}

/** What an answer means, where the vendor says it otherwise than by the status. */
export interface VendorFault {
  readonly code?: ErrorCode | undefined;
  /** The vendor's own; default: what usually holds them in the body. */
  readonly words?: string | undefined;
  /** For `provider.throttled`, where there is no Retry-After. */
  readonly retryAfterMs?: number | undefined;
}

export interface VendorApiOptions {
  /** As people know it: "Cloudflare". */
  readonly vendor: string;
  readonly baseUrl: string;
  /** The only roots that count for its certificate, asked for at each request; absent: those of the agent. */
  trustPem?(): Promise<string | undefined>;
  /** Headers that authenticate a request, made anew for each. */
  auth?(
    request: OutgoingRequest,
    signal: AbortSignal,
  ): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Where `auth` takes them from one: it is opened anew, once, when the vendor does not take it any more. */
  readonly session?: Pick<Session<unknown>, 'turn' | 'drop'> | undefined;
  /** What must never be repeated, beside the headers above. */
  readonly secrets?: readonly Secret<string>[] | undefined;
  /** Asked about each answer that a request does not accept, and about those with a status of success. */
  fault?(answer: VendorAnswer): VendorFault | undefined;
  /** Header with the second since 1970 in which more requests are taken, of a refusal for haste without Retry-After. */
  readonly resetHeader?: string | undefined;
  /** Remedies, where more is known than the code says. */
  readonly remedies?: Partial<Record<ErrorCode, string>> | undefined;
}

/**
 * Requests to a vendor's HTTP API. Each rejects with AgentError: `provider.*`, or `dns.zoneNotFound` where the request is
 * about a zone; on abort with the signal's reason. Vendors' words come through cut and without secrets.
 */
export interface VendorApi {
  /** The answer, if it is a success or one of those that the request accepts. */
  send(request: VendorRequest, signal: AbortSignal): Promise<VendorAnswer>;
  /** Its body in the form expected; any other is the vendor's fault. */
  read<T>(form: z.ZodType<T>, request: VendorRequest, signal: AbortSignal): Promise<T>;
  /** The body of an answer in the form expected. */
  parse<T>(form: z.ZodType<T>, answer: VendorAnswer, doing: string): T;
}

export function createVendorApi(
  options: VendorApiOptions,
  { http, clock }: Pick<PluginContext, 'http' | 'clock'>,
): VendorApi {
  const { vendor } = options;

  async function send(request: VendorRequest, signal: AbortSignal): Promise<VendorAnswer> {
    const begunAt = options.session?.turn();
    try {
      return await sendOnce(request, signal);
    } catch (error) {
      const isEnded =
        isAgentError(error, 'provider.auth') && begunAt !== undefined && options.session?.drop(begunAt);
      if (isEnded !== true) throw error;
      return sendOnce(request, signal);
    }
  }

  async function sendOnce(request: VendorRequest, signal: AbortSignal): Promise<VendorAnswer> {
    const { content, type } = bodyOf(request);
    const url = urlOf(options.baseUrl, request, vendor);
    const method = request.method ?? (content === undefined ? 'GET' : 'POST');
    const own = { accept: 'application/json', ...type, ...request.headers };
    const auth = (await options.auth?.({ method, url, body: content, headers: own }, signal)) ?? {};
    const headers = { ...own, ...auth };
    const { maxBytes } = request;
    const trustPem = await options.trustPem?.();
    const response = await http
      .request(url.href, { method, headers, body: content, maxBytes, signal, trustPem })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw unreachable(error, vendor, request);
      });
    const text = response.text();
    const answer = { status: response.status, headers: response.headers, text, body: parseJson(text) };
    if (request.accept?.includes(answer.status) === true) return answer;
    const fault = options.fault?.(answer);
    const code = fault?.code ?? codeOf(answer, request);
    if (code === undefined) return answer;
    const secrets = [...(options.secrets ?? []), ...(request.secrets ?? [])].map((one) => one.reveal());
    const words = cleanWords(fault?.words ?? wordsOf(answer), [...secrets, ...secretParts(auth)]);
    throw refusal({ code, words, answer, fault, request, options, now: clock.now() });
  }

  function parse<T>(form: z.ZodType<T>, { status, body }: VendorAnswer, doing: string): T {
    const parsed = form.safeParse(body);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw new AgentError(
      'provider.unavailable',
      `${vendor} was asked ${doing} and answers ${status} in a form that is not understood${place}; check "baseUrl"`,
      { facts: { status } },
    );
  }

  return {
    send,
    parse,
    read: async (form, request, signal) => parse(form, await send(request, signal), request.doing),
  };
}

/** undefined: a success. */
function codeOf({ status, headers }: VendorAnswer, { zone }: VendorRequest): ErrorCode | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status === 401) return 'provider.auth';
  if (status === 403) return 'provider.forbidden';
  if (status === 404 && zone !== undefined) return 'dns.zoneNotFound';
  if (status === 409 || status === 412) return 'provider.conflict';
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) return 'provider.throttled';
  return status === 408 || status >= 500 || status < 400 ? 'provider.unavailable' : 'provider.invalid';
}

interface Refused {
  readonly code: ErrorCode;
  readonly words: string;
  readonly answer: VendorAnswer;
  readonly fault: VendorFault | undefined;
  readonly request: VendorRequest;
  readonly options: VendorApiOptions;
  readonly now: number;
}

const remedies: Partial<Record<ErrorCode, string>> = {
  'provider.auth': 'check the credentials of this DNS account',
  'provider.forbidden': 'give the credentials the rights that the documentation of this provider names',
};

function refusal({ code, words, answer, fault, request, options, now }: Refused): AgentError {
  const { vendor } = options;
  const remedy = options.remedies?.[code] ?? remedies[code];
  const said = `(${[String(answer.status), words].filter((part) => part !== '').join(': ')})`;
  const what =
    code === 'dns.zoneNotFound'
      ? `${vendor} has no zone ${request.zone ?? ''} for these credentials ${said}`
      : `${vendor} ${code === 'provider.unavailable' ? 'fails' : 'refuses'} ${request.doing} ${said}`;
  const retryAfterMs =
    fault?.retryAfterMs ??
    retryAfter(answer.headers['retry-after'], now) ??
    untilReset(answer.headers[options.resetHeader ?? ''], now);
  const throttled = code === 'provider.throttled' && retryAfterMs !== undefined;
  const isOwned = code === 'provider.unavailable' && (answer.status >= 500 || fault?.code === code);
  return new AgentError(code, remedy === undefined ? what : `${what}; ${remedy}`, {
    facts: { status: answer.status },
    ...(throttled && { retryAt: now + retryAfterMs }),
    // Often over in a moment, if the vendor owns up to it.
    ...(isOwned && { retry: 'soon' as const }),
  });
}

/** Seconds or a date (RFC 9110 §10.2.3). */
function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function untilReset(text: string | undefined, now: number): number | undefined {
  return text !== undefined && /^\d{9,11}$/.test(text.trim())
    ? Math.max(0, Number(text) * 1000 - now)
    : undefined;
}

function unreachable(error: unknown, vendor: string, { doing }: VendorRequest): unknown {
  if (!isAgentError(error, 'net.failed')) return error;
  return new AgentError('provider.unavailable', `${vendor} cannot be asked ${doing}: ${error.message}`, {
    retry: 'soon',
    cause: error,
  });
}
