import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type Dispatcher, errors, ProxyAgent } from 'undici';
import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

/** Enough for hundreds of orders at a time, and few enough to stay a good guest at the CA. */
const maxConnections = 16;
const maxBytes = 1024 * 1024;
/** So long an answer is waited for, connecting included: nobody may be kept longer. */
export const readingMs = 10_000;
/**
 * So long an exchange lasts that makes or changes something, whoever waits for it: there are CAs that give up what they are
 * at when the other side hangs up.
 */
export const changingMs = 30_000;
const keepAliveMs = 15_000;
/** Of the error when nobody waits for an exchange any more that goes on. */
const underWay = 'UNDER_WAY';

export interface TransportOptions {
  /** In place of the system's trust anchors. */
  readonly trustPem?: string | undefined;
  readonly proxyUrl?: string | undefined;
  readonly userAgent: string;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: string | undefined;
  /** For the whole answer, so that a body that drips cannot hold a worker. Default: that of one that only reads. */
  readonly patienceMs?: number | undefined;
  /** So much longer it goes on by itself, its answer unheard. Default: not at all. */
  readonly unheardMs?: number | undefined;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Answer extends RawAnswer {
  readonly url: string;
}

type RawRequest = Dispatcher.DispatchOptions & { readonly origin: string };

export interface Transport {
  /**
   * One exchange over a kept connection. Any status but a redirect resolves. Rejects with `acme.network` when no whole
   * answer came (fact `mayHaveArrived`: the CA may have acted; `isUnderWay`: it still may), `acme.response` for an answer
   * that ACME has no place for, and with the signal's reason when aborted.
   */
  send(request: Request, signal: AbortSignal): Promise<Answer>;
  /** Aborts what is under way. */
  close(): Promise<void>;
}

export function createTransport(options: TransportOptions, clock: Clock): Transport {
  const dispatcher = createDispatcher(options);
  let closed = false;
  return {
    async send(request, signal) {
      if (closed) throw stopping();
      if (!URL.canParse(request.url) || !/^https?:/i.test(request.url)) {
        throw new AgentError(
          'acme.response',
          `the CA named ${JSON.stringify(request.url)} where a URL belongs`,
        );
      }
      const raw = rawRequest(request, options.userAgent);
      const patienceMs = Math.max(1, request.patienceMs ?? readingMs);
      const { unheardMs = 0 } = request;
      const answer = await exchange({ dispatcher, clock, patienceMs, unheardMs }, raw, signal).catch(
        (error: unknown) => {
          if (signal.aborted) throw signal.reason;
          throw closed ? stopping() : networkError(request.url, error);
        },
      );
      if (answer.status >= 300 && answer.status < 400) {
        throw new AgentError(
          'acme.response',
          `${request.url} redirects to ${answer.headers.location ?? 'nowhere'}; an ACME server does not redirect`,
          { facts: { url: request.url, status: answer.status } },
        );
      }
      return { url: request.url, ...answer };
    },
    async close() {
      closed = true;
      await dispatcher.destroy();
    },
  };
}

function createDispatcher({ trustPem, proxyUrl }: TransportOptions): Dispatcher {
  const tls = { timeout: readingMs, ...(trustPem === undefined ? {} : { ca: trustPem }) };
  const common = {
    connections: maxConnections,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: changingMs,
    bodyTimeout: changingMs,
    maxResponseSize: maxBytes,
  };
  return proxyUrl === undefined
    ? new Agent({ ...common, connect: tls })
    : new ProxyAgent({ ...common, uri: proxyUrl, requestTls: tls });
}

function rawRequest({ url, method, body }: Request, userAgent: string): RawRequest {
  const { origin, pathname, search } = new URL(url);
  const common = { 'user-agent': userAgent, accept: '*/*' };
  const headers = body === undefined ? common : { ...common, 'content-type': 'application/jose+json' };
  return { origin, path: pathname + search, method, headers, body };
}

interface Means {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly unheardMs: number;
}

/**
 * One request and its whole answer. Rejects at once with the signal's reason, also while the request still waits for a
 * connection, which undici's own `request` does not; else with undici's error, or one of our deadline.
 */
function exchange(
  { dispatcher, clock, patienceMs, unheardMs }: Means,
  request: RawRequest,
  signal: AbortSignal,
): Promise<RawAnswer> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const call = startCall(dispatcher, request);
    const stop = (reason: unknown): void => {
      reject(reason);
      call.abort();
    };
    const onAbort = (): void => stop(signal.reason);
    const cancelDeadline = clock.after(patienceMs, () => {
      const why = `no whole answer in ${Math.ceil(patienceMs / 1000)} s`;
      if (unheardMs <= 0) return stop(new Error(why));
      reject(Object.assign(new Error(why), { code: underWay }));
      signal.removeEventListener('abort', onAbort);
      const cancelEnd = clock.after(unheardMs, call.abort);
      call.answer.then(cancelEnd, cancelEnd);
    });
    // One signal may stop hundreds of requests at a time; Node takes more than ten listeners for a leak.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', onAbort, { once: true });
    call.answer.then(resolve, reject).finally(() => {
      cancelDeadline();
      signal.removeEventListener('abort', onAbort);
    });
  });
}

interface Call {
  readonly answer: Promise<RawAnswer>;
  /** Closes the connection, or keeps the request from being sent. */
  abort(): void;
}

function startCall(dispatcher: Dispatcher, request: RawRequest): Call {
  let controller: Dispatcher.DispatchController | undefined;
  let aborted = false;
  let status = 0;
  let headers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        if (aborted) started.abort(new Error('aborted'));
      },
      onResponseStart(_controller, statusCode, responseHeaders) {
        status = statusCode;
        headers = responseHeaders;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        resolve({ status, headers, text: Buffer.concat(chunks).toString('utf8') });
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    });
  });
  return {
    answer,
    abort() {
      aborted = true;
      controller?.abort(new Error('aborted'));
    },
  };
}

/** Not to be tried again: this transport has no connections any more. */
function stopping(): AgentError {
  return new AgentError('acme.network', 'the agent is stopping', { retry: 'later' });
}

function networkError(url: string, cause: unknown): AgentError {
  if (cause instanceof errors.ResponseExceededMaxSizeError) {
    return new AgentError('acme.response', `the answer of ${url} is larger than 1 MB`, {
      facts: { url },
      cause,
    });
  }
  const { host } = new URL(url);
  const isUntrusted = cause instanceof Error && 'code' in cause && /CERT|VERIFY/.test(String(cause.code));
  const what = isUntrusted ? `the certificate of ${host} is not trusted` : `${host} did not answer`;
  return new AgentError('acme.network', `${what}: ${wordsOf(cause)}`, {
    facts: {
      url,
      mayHaveArrived: !isUntrusted && !isUnsent(cause),
      isUnderWay: cause instanceof Error && 'code' in cause && cause.code === underWay,
    },
    advice: isUntrusted ? 'If this CA is your own, name its root under "trust" of the issuer.' : undefined,
    cause,
  });
}

/** No connection came about, so that the CA knows nothing of the request. */
function isUnsent(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code);
}

/** Node's error for several refused addresses has a code and no message. */
function wordsOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
