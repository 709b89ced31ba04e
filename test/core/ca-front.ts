import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isAgentError } from '../../src/core/errors.ts';
import type { AcmeOrder, Problem } from '../../src/core/ports.ts';
import type { ScriptedCa } from './scripted-ca.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A scripted CA as a server: what RFC 8555 makes of it on the wire. Signatures are not looked at, nonces are. */
export interface CaFront {
  readonly directoryUrl: string;
  /** Added to every authorization, as CAs do with types that are new. */
  readonly moreChallenges: unknown[];
  stop(): Promise<void>;
}

interface Question {
  readonly method: string;
  readonly path: string;
  /** Of the URLs that it is told. */
  readonly origin: string;
  readonly protected: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>> | undefined;
}

interface Page {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const prefix = 'urn:ietf:params:acme:error:';
const never = new AbortController().signal;

export async function startCaFront(ca: ScriptedCa, clock: VirtualClock): Promise<CaFront> {
  const own = new URL(ca.session.accountUrl).origin;
  const nonces = new Set<string>();
  const moreChallenges: unknown[] = [];

  function freshNonce(): string {
    const nonce = randomBytes(12).toString('base64url');
    nonces.add(nonce);
    return nonce;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const question = await read(request);
    response.setHeader('date', new Date(clock.trueNow()).toUTCString());
    response.setHeader('replay-nonce', freshNonce());
    const page = await answer(question).catch(problemPage);
    const text = typeof page.body === 'string' ? page.body : JSON.stringify(page.body ?? {});
    const type = page.status < 400 ? 'application/json' : 'application/problem+json';
    // What the scripted CA calls its own origin is that of whoever stands before us.
    response.writeHead(page.status, { 'content-type': type, ...localHeaders(page, question.origin) });
    response.end(text.replaceAll(own, question.origin));
  }

  function localHeaders({ headers = {} }: Page, origin: string): Record<string, string> {
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace(own, origin)]),
    );
  }

  async function answer(question: Question): Promise<Page> {
    const { method, path } = question;
    if (path === '/dir') return { status: 200, body: directory() };
    if (path === '/nonce') return { status: 204 };
    if (path.startsWith('/renewal-info/')) return advice(path.slice('/renewal-info/'.length));
    const isFresh = method !== 'POST' || nonces.delete(String(question.protected.nonce));
    return isFresh ? resource(question) : { status: 400, body: { type: `${prefix}badNonce` } };
  }

  function directory(): object {
    const { profiles, hasRenewalInfo } = ca.ways;
    return {
      newNonce: `${own}/nonce`,
      newAccount: `${own}/new-account`,
      newOrder: `${own}/new-order`,
      ...(hasRenewalInfo ? { renewalInfo: `${own}/renewal-info` } : {}),
      meta: { profiles: Object.fromEntries(profiles.map((name) => [name, name])) },
    };
  }

  function advice(certId: string): Page {
    const given = ca.renewalInfo(certId);
    if (given === undefined) return { status: 404, body: { type: `${prefix}malformed` } };
    const [start, end] = [given.start, given.end].map((at) => new Date(at).toISOString());
    return { status: 200, body: { suggestedWindow: { start, end } } };
  }

  async function resource({ path, payload, protected: head }: Question): Promise<Page> {
    const url = own + path;
    if (path === '/new-account') {
      ca.ways.thumbprint = thumbprintOf(head.jwk);
      return { status: 201, headers: { location: ca.session.accountUrl }, body: { status: 'valid' } };
    }
    if (path === '/new-order') return orderPage(await ca.session.newOrder(asked(payload), never), 201);
    const part = path.split('/').at(-1) ?? '';
    const order = ca.orders.find((one) => url.startsWith(`${one.url}/`) || url === one.url);
    if (order === undefined) return { status: 404, body: { type: `${prefix}malformed`, detail: 'no order' } };
    if (url === order.url) return orderPage(await ca.session.order(url, never));
    if (part === 'finalize') {
      const csr = Buffer.from(String(payload?.csr), 'base64url');
      return orderPage(await ca.session.finalize(await ca.session.order(order.url, never), csr, never));
    }
    if (part === 'certificate')
      return {
        status: 200,
        body: await ca.session.certificate(await ca.session.order(order.url, never), never),
      };
    if (/^\d+$/.test(part)) return { status: 200, body: await authorization(url) };
    if (payload !== undefined) await ca.session.respond(url, never);
    const all = (await ca.session.authorization(url.slice(0, url.lastIndexOf('/')), never)).challenges;
    return { status: 200, body: all.find((one) => one.url === url) };
  }

  async function authorization(url: string): Promise<object> {
    const { url: _, ...shown } = await ca.session.authorization(url, never);
    const challenges = shown.challenges.map((one) => ({ ...one, error: one.error && wire(one.error) }));
    return { ...shown, challenges: [...moreChallenges, ...challenges] };
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    directoryUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir`,
    moreChallenges,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function orderPage({ url, retryAfterMs, error, expires, ...shown }: AcmeOrder, status = 200): Page {
  const retryAfter: Record<string, string> =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
  const body = {
    ...shown,
    error: error && wire(error),
    expires: expires === undefined ? undefined : new Date(expires).toISOString(),
  };
  return { status, headers: { location: url, ...retryAfter }, body };
}

function asked(payload: Question['payload']) {
  const { identifiers, profile, replaces } = payload as {
    readonly identifiers: readonly { readonly value: string }[];
    readonly profile?: string;
    readonly replaces?: string;
  };
  return { names: identifiers.map(({ value }) => value), profile, replaces };
}

function wire(problem: Problem): Problem {
  return problem.type.startsWith(prefix) ? problem : { ...problem, type: prefix + problem.type };
}

function problemPage(error: unknown): Page {
  if (!isAgentError(error)) throw error;
  const { status, problem } = error.facts as { readonly status: number; readonly problem: Problem };
  return { status, body: wire(problem) };
}

/** RFC 7638, of a key on a curve. */
function thumbprintOf(jwk: unknown): string {
  const { crv, kty, x, y } = jwk as Readonly<Record<string, string>>;
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

async function read(request: IncomingMessage): Promise<Question> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const jws = parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString());
  const decode = (text: string | undefined) =>
    text ? JSON.parse(Buffer.from(text, 'base64url').toString()) : undefined;
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    origin: `http://${request.headers.host}`,
    protected: decode(jws.protected) ?? {},
    payload: decode(jws.payload),
  };
}
