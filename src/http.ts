import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, ProxyAgent, request as send } from 'undici';
import { AgentError } from './core/errors.ts';
import type { Clock } from './core/ports.ts';

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 1024 * 1024;
const maxRedirects = 10;

/**
 * Where a tenant must not make us connect to: this host, private, link-local (with the metadata addresses of the
 * clouds), shared and documentation ranges, multicast, and IPv6 forms that carry an IPv4 address to a relay.
 */
const privateIpv4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;
const privateIpv6 = [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

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

/** As `HttpRequest` of the plugin interface, which this implements. */
interface Request {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  text(): string;
  json(): unknown;
}

/** Outbound HTTP. Messages name the origin only: paths and queries may hold tokens, bodies anything. */
export interface HttpClient {
  request(url: string, request?: Request): Promise<Response>;
  requestUntrusted(url: string, request?: Request): Promise<Response>;
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
  const untrusted = new Agent({
    // No connection outlives its request: an address is checked when it is connected to.
    pipelining: 0,
    connect: { ca, lookup: guardedLookup(options.resolve ?? resolveBySystem, refuses) },
  });
  const exchange = (url: URL, request: Request, via: Via) =>
    perform(url, { ...request, headers: { 'user-agent': userAgent, ...request.headers } }, via);
  return {
    request: (url, request = {}) =>
      withDeadline(parse(url), request, clock, (target, signal) =>
        exchange(target, request, { dispatcher: trusted, signal }),
      ),
    requestUntrusted: (url, request = {}) =>
      withDeadline(parse(url), request, clock, (target, signal) =>
        follow(target, request, (hop, next) => {
          refuseLiteral(hop, refuses);
          return exchange(hop, next, { dispatcher: untrusted, signal });
        }),
      ),
    close: async () => {
      await Promise.all([trusted.destroy(), untrusted.destroy()]);
    },
  };
}

interface Via {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new AgentError(
    'net.refused',
    `not an http or https URL${url === undefined ? '' : `: ${url.protocol}`}`,
  );
}

/** One deadline for everything that `run` does; every fault becomes an AgentError, an abort the signal's reason. */
async function withDeadline(
  url: URL,
  request: Request,
  clock: Clock,
  run: (url: URL, signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
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

async function perform(url: URL, request: Request, { dispatcher, signal }: Via): Promise<Response> {
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
    if (size > maxBytes)
      throw new AgentError('net.failed', `${url.origin} answered with more than ${maxBytes} bytes`);
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

async function follow(
  url: URL,
  request: Request,
  visit: (url: URL, request: Request) => Promise<Response>,
): Promise<Response> {
  let [at, current] = [url, request];
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const answer = await visit(at, current);
    const { location } = answer.headers;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    if (!URL.canParse(location, at.href))
      throw new AgentError('net.failed', `${at.origin} redirects to something that is not a URL`);
    const next = parse(new URL(location, at).href);
    current = redirected(current, answer.status, next.origin === at.origin);
    at = next;
  }
  throw new AgentError('net.failed', `${url.origin} redirects more than ${maxRedirects} times`);
}

/** RFC 9110 §15.4: what of a request goes along to the next place. Credentials stay at their origin. */
function redirected(request: Request, status: number, sameOrigin: boolean): Request {
  const keepsBody = status === 307 || status === 308 || ['GET', 'HEAD'].includes(request.method ?? 'GET');
  const dropped = [
    ...(sameOrigin ? [] : ['authorization', 'cookie', 'proxy-authorization']),
    ...(keepsBody ? [] : ['content-type', 'content-length']),
  ];
  const headers = Object.entries(request.headers ?? {}).filter(
    ([name]) => !dropped.includes(name.toLowerCase()),
  );
  return {
    ...request,
    headers: Object.fromEntries(headers),
    ...(!keepsBody && { method: 'GET', body: undefined }),
  };
}

/** Tells whether an address is private (or worse) and not in one of the ranges that are allowed. */
export function createPrivateCheck(allowPrivate: readonly string[]): (address: string) => boolean {
  const refused = new BlockList();
  for (const [network, bits] of privateIpv4) {
    refused.addSubnet(network, bits, 'ipv4');
    refused.addSubnet(`64:ff9b::${network}`, 96 + bits, 'ipv6');
  }
  for (const [network, bits] of privateIpv6) refused.addSubnet(network, bits, 'ipv6');
  const allowed = new BlockList();
  for (const range of allowPrivate) {
    const [network = '', bits] = range.split('/');
    const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
    allowed.addSubnet(network, Number(bits ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return (text) => {
    const address = text.replace(/%.*$/, '');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    return !allowed.check(address, family) && refused.check(address, family);
  };
}

/** A connection to an address literal makes no look-up, so the literal is judged here. */
function refuseLiteral(url: URL, refuses: (address: string) => boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && refuses(host)) throw refusal(host, [host]);
}

/** Resolves once for each connection and hands out only addresses that were judged: nothing is resolved after that. */
function guardedLookup(
  resolve: (host: string) => Promise<readonly string[]>,
  refuses: (address: string) => boolean,
): LookupFunction {
  return (host, lookupOptions, answer) => {
    const judge = (addresses: readonly string[]) => {
      const good = addresses.filter((address) => !refuses(address));
      const [first] = good;
      if (first === undefined) return answer(refusal(host, addresses), []);
      if (!lookupOptions.all) return answer(null, first, isIP(first));
      answer(
        null,
        good.map((address) => ({ address, family: isIP(address) })),
      );
    };
    resolve(host).then(judge, (error) => answer(error, []));
  };
}

function refusal(host: string, addresses: readonly string[]): AgentError {
  if (addresses.length === 0) return new AgentError('net.failed', `${host} has no address`);
  const where = addresses[0] === host ? '' : ` (${addresses.join(', ')})`;
  return new AgentError('net.refused', `${host}${where} is a private or link-local address`);
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}
