import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deferred } from '../deferred.ts';
import { type DnsFront, startDnsFront } from '../dns-front.ts';
import { createFaults, type Faults } from './faults.ts';
import { createLimit, type Limit } from './limit.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

/** What came in, as a route sees it. */
export interface Incoming {
  readonly method: string;
  readonly path: string;
  /** What stands at the `:names` of the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Of the body, if it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a client sent; the front looks at it as its vendor does
  readonly json: any;
}

export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Route {
  readonly method: string;
  /** `/zones/:zone/records`; a last part of `*` takes all that follows. */
  readonly path: string;
  /** Whether it changes something; default: all but GET do. */
  writes?(request: Incoming): boolean;
  run(request: Incoming): Answer | Promise<Answer>;
}

/** A vendor's paths, shapes and rules over the zones that all vendors share. */
export interface Front {
  routes(world: World): readonly Route[];
  /** Of the credentials in headers, query or body. */
  isAuthorized(request: Incoming): boolean;
  /**
   * In the vendor's words and form. credentials: nobody it knows · rights: known, but may not do this · haste: too many
   * requests (without Retry-After) · fault: one of its bad moments.
   */
  refusal(why: 'credentials' | 'rights' | 'haste' | 'fault'): Answer;
}

export interface VendorOptions extends WorldOptions {
  /** Requests beyond are refused for haste. */
  readonly limit?: Limit | undefined;
  /** Share of all requests that meet a fault before anything is done, from 0 to 1. */
  readonly faultShare?: number | undefined;
  readonly dnsPort?: number | undefined;
}

export interface VendorServer extends Faults {
  readonly url: string;
  readonly world: World;
  readonly dns: DnsFront;
  /** Each request that came in, as `POST /zones/Z1/records`, with its query. */
  readonly calls: readonly string[];
  /** How many were refused for haste by `limit`. */
  readonly refused: () => number;
  stop(): Promise<void>;
}

/** A stateful stand-in for a vendor's API, with the DNS server that publishes its zones. */
export async function startVendor(front: Front, options: VendorOptions): Promise<VendorServer> {
  const world = createWorld(options);
  const routes = front.routes(world);
  const calls: string[] = [];
  const faults = createFaults(options.faultShare ?? 0);
  const limit = createLimit(options.limit);

  async function answer(request: Incoming): Promise<Answer | 'lost'> {
    calls.push(`${request.method} ${request.path}${request.query.size === 0 ? '' : `?${request.query}`}`);
    const found = routes.flatMap((route) => match(route, request));
    const [hit] = found;
    const writes = hit === undefined ? false : (hit.route.writes?.(request) ?? request.method !== 'GET');
    const fault = faults.take(writes);
    await fault?.held;
    const wait = limit.take();
    if (wait !== undefined) return inHaste(front, options.limit?.retryAfter === true ? wait : undefined);
    if (fault?.why === 'haste') return inHaste(front, fault.retryAfterSeconds);
    if (fault?.why === 'fault') return front.refusal('fault');
    if (!front.isAuthorized(request)) return front.refusal('credentials');
    if (faults.denies()) return front.refusal('rights');
    if (hit === undefined) return { status: 404, text: 'no such path' };
    const real = await hit.route.run({ ...request, params: hit.params });
    return fault?.why === 'lost' ? 'lost' : real;
  }

  const server = createServer((message, response) => {
    respond(message, response, answer).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dns = await startDnsFront(world.store, { port: options.dnsPort ?? 0 });
  return {
    ...faults,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    dns,
    calls,
    refused: limit.refused,
    async stop() {
      server.closeAllConnections();
      const closed = deferred();
      server.close(closed.resolve);
      await Promise.all([closed.promise, dns.stop()]);
    },
  };
}

function inHaste(front: Front, retryAfterSeconds: number | undefined): Answer {
  const refusal = front.refusal('haste');
  if (retryAfterSeconds === undefined) return refusal;
  return { ...refusal, headers: { ...refusal.headers, 'retry-after': String(retryAfterSeconds) } };
}

/** The route and its parameters, where it is the one asked for. */
export function match(route: Route, { method, path }: Incoming) {
  if (route.method !== method) return [];
  const wanted = route.path.split('/');
  const parts = path.split('/');
  if (wanted.at(-1) === '*' ? parts.length < wanted.length : parts.length !== wanted.length) return [];
  const params: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const part = decodeURIComponent(parts[index] ?? '');
    if (want.startsWith(':')) params[want.slice(1)] = part;
    else if (want !== '*' && want !== part) return [];
  }
  return [{ route, params }];
}

/** Reads the request and sends what `answer` says; lost: cuts the connection. */
export async function respond(
  message: IncomingMessage,
  response: ServerResponse,
  answer: (request: Incoming) => Promise<Answer | 'lost'>,
): Promise<void> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  const url = new URL(message.url ?? '/', 'http://127.0.0.1');
  const answered = await answer({
    method: message.method ?? '',
    path: url.pathname,
    params: {},
    query: url.searchParams,
    headers: message.headers as Record<string, string>,
    text,
    json: jsonOf(text),
  });
  if (answered === 'lost') {
    response.destroy();
    return;
  }
  const { status, json, text: plain, headers } = answered;
  const type = json === undefined ? 'text/plain' : 'application/json';
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(json === undefined ? plain : JSON.stringify(json));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
