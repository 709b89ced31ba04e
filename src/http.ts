import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, ProxyAgent, request as send } from 'undici';
import { AgentError } from './core/errors.ts';
import type { Http, HttpRequest, HttpResponse, Validator } from './core/http.ts';
import type { Clock } from './core/ports.ts';
import { createOwnRoots } from './http/own-roots.ts';
import { createPrivateCheck, guardedLookup, refuseLiteral, resolveBySystem } from './http/private.ts';
import { answered, followRedirects, parseUrl } from './http/redirect.ts';

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 1024 * 1024;

export interface HttpOptions {
  /** Address ranges (CIDR) that untrusted requests may reach although they are private. */
  readonly allowPrivate: readonly string[];
  /** For trusted requests; untrusted ones always go direct, since behind a proxy nobody could check the address. */
  readonly proxyUrl?: string | undefined;
  /** PEM of roots trusted beside the built-in ones. */
  readonly trustPem?: string | undefined;
  readonly clock: Clock;
  readonly userAgent: string;
  /** All addresses of a host; default: the resolver of the system. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** Outbound HTTP. Messages name the origin only: paths and queries may hold tokens, bodies anything. */
export interface HttpClient extends Http, Validator {
  /** Closes idle connections; requests under way are ended. */
  close(): Promise<void>;
}

export function createHttp(options: HttpOptions): HttpClient {
  const { clock, userAgent } = options;
  const refuses = createPrivateCheck(options.allowPrivate);
  const ca = options.trustPem === undefined ? undefined : [...rootCertificates, options.trustPem];
  const trusted =
    options.proxyUrl === undefined
      ? new Agent({ connect: { ca } })
      : new ProxyAgent({ uri: options.proxyUrl, requestTls: { ca }, proxyTls: { ca } });
  const ownRoots = createOwnRoots();
  const untrusted = new Agent({
    // No connection outlives its request: an address is checked when it is connected to.
    pipelining: 0,
    connect: { ca, lookup: guardedLookup(options.resolve ?? resolveBySystem, refuses) },
  });
  const exchange = (url: URL, request: HttpRequest, via: Via) =>
    perform(url, { ...request, headers: { 'user-agent': userAgent, ...request.headers } }, via);
  return {
    request: (url, request = {}) =>
      withDeadline(parseUrl(url), request, clock, (target, signal) =>
        exchange(target, request, { dispatcher: ownRoots.for(request.trustPem) ?? trusted, signal }),
      ),
    requestUntrusted: (url, request = {}) =>
      withDeadline(parseUrl(url), request, clock, (target, signal) =>
        followRedirects(target, request, (hop, next) => {
          refuseLiteral(hop, refuses);
          return exchange(hop, next, { dispatcher: untrusted, signal });
        }),
      ),
    requestAsValidator: (url, request) =>
      withDeadline(parseUrl(url), request, clock, async (target, signal) => {
        const connect = { rejectUnauthorized: false, lookup: guardedLookup(request.resolve, refuses) };
        const dispatcher = new Agent({ pipelining: 0, connect });
        try {
          return await followRedirects(target, request, (hop, next) => {
            refusePort(hop, request.ports);
            refuseLiteral(hop, refuses);
            refuseAddress(hop, target);
            return exchange(hop, next, { dispatcher, signal });
          });
        } finally {
          await dispatcher.destroy();
        }
      }),
    close: async () => {
      await Promise.all([trusted.destroy(), untrusted.destroy(), ownRoots.destroy()]);
    },
  };
}

function refusePort({ protocol, port, origin }: URL, ports: readonly number[]): void {
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  if (!ports.includes(number)) throw answered(`it leads to ${origin}, a port that no CA goes to`);
}

/** Let's Encrypt, for one, follows redirects to names alone. Others may not mind, so it is no fact about the other side. */
function refuseAddress({ hostname, origin }: URL, start: URL): void {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 && hostname !== start.hostname)
    throw new AgentError('net.refused', `it leads to ${origin}, and some CAs follow redirects to names only`);
}

interface Via {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

/** One deadline for everything that `run` does; every fault becomes an AgentError, an abort the signal's reason. */
async function withDeadline(
  url: URL,
  request: HttpRequest,
  clock: Clock,
  run: (url: URL, signal: AbortSignal) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
  const deadline = new AbortController();
  const expire = () =>
    deadline.abort(new AgentError('net.failed', `${url.origin} did not answer within ${timeoutMs / 1000} s`));
  const cancel = clock.after(timeoutMs, expire);
  const signals = request.signal === undefined ? [] : [request.signal];
  try {
    return await run(url, AbortSignal.any([deadline.signal, ...signals]));
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    if (deadline.signal.aborted) throw deadline.signal.reason;
    throw asNetworkError(error, url);
  } finally {
    cancel();
  }
}

function asNetworkError(error: unknown, url: URL): AgentError {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof AgentError) return cause;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  return new AgentError('net.failed', `${url.origin} is not reached: ${String(reason)}`, { cause: error });
}

async function perform(url: URL, request: HttpRequest, { dispatcher, signal }: Via): Promise<HttpResponse> {
  const answer = await send(url, {
    dispatcher,
    signal,
    method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
    headers: { ...request.headers },
    body: request.body ?? null,
  });
  const maxBytes = request.maxBytes ?? defaultMaxBytes;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw answered(`${url.origin} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const headers = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]);
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(headers),
    body,
    text: () => body.toString('utf8'),
    json: () => parseJson(body, url),
  };
}

function parseJson(body: Buffer, url: URL): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AgentError('net.failed', `${url.origin} answered with something that is not JSON`);
  }
}
