import { writeFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { type CallKind, createKindTable, payloadOf } from './proxy-kinds.ts';
import { type Answer, createUpstream } from './proxy-upstream.ts';
import { testFolder } from './run-folder.ts';
import { createAuthority } from './tls.ts';

export type { CallKind } from './proxy-kinds.ts';

export interface ProxyOptions {
  /** Directory URL of the CA. */
  readonly upstream: string;
  /** PEM file of the authority of its listener. */
  readonly caFile?: string | undefined;
  /** Listen without TLS. The URLs of a CA stay `https:` then, so that is for the directory and for other upstreams. */
  readonly plain?: boolean | undefined;
}

export interface Call {
  readonly kind: CallKind;
  readonly method: string;
  readonly path: string;
  /** Of the JWS, decoded; undefined for a POST-as-GET and for what is no JWS. */
  readonly payload: unknown;
  /** What the client was answered; undefined while it waits, and when its connection was cut. */
  status: number | undefined;
}

export type Match = CallKind | ((call: Call) => boolean);

export interface FakeAnswer {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** An object is sent as a problem document. */
  readonly body?: string | object | undefined;
  /** Default 1. */
  readonly times?: number | undefined;
  /** Adds a fresh nonce of the CA, as a CA does with its own errors. */
  readonly nonce?: boolean | undefined;
}

export interface Held {
  /** The CA has acted and answered; the client waits. */
  readonly seen: Promise<Call>;
  /** Gives the client the CA's answer. */
  release(): void;
  /** Cuts the client's connection instead; the answer is lost. */
  drop(): void;
}

export interface TestProxy {
  readonly directoryUrl: string;
  readonly caFile: string;
  /** Calls seen so far, by kind. */
  counts(): Readonly<Partial<Record<CallKind, number>>>;
  readonly calls: readonly Call[];
  /** Connections accepted so far. */
  connections(): number;
  /** Keeps back the answer of the next call that matches. */
  hold(match: Match): Held;
  /** Answers in the CA's place, which never sees the call. */
  status(match: Match, answer: FakeAnswer): void;
  /** Cuts the connection before the CA sees the call, or after it acted. `times` defaults to 1. */
  cut(match: Match, when: 'before' | 'after', times?: number): void;
  stop(): Promise<void>;
}

/** What happens to a call that matches; the first that matches and is not used up counts. */
interface Rule {
  readonly match: Match;
  left: number;
  before?(call: Call): Promise<Answer | 'cut' | undefined>;
  after?(call: Call): Promise<'send' | 'cut'>;
}

/**
 * A reverse proxy that passes the Host header on, so that the URLs which the CA makes point at the proxy, and nonces
 * and locations stay right.
 */
export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const upstreamUrl = new URL(options.upstream);
  const upstream = createUpstream(upstreamUrl, options.caFile);
  const kinds = createKindTable(upstreamUrl.pathname);
  const calls: Call[] = [];
  const rules: Rule[] = [];
  let connections = 0;

  const { server, caFile } = createFront(options.plain === true, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.writeHead(502).end(String(error));
    });
  });
  server.on('connection', () => {
    connections++;
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = request.url ?? '/';
    const call: Call = {
      kind: kinds.kindOf(path),
      method: request.method ?? 'GET',
      path,
      payload: payloadOf(body),
      status: undefined,
    };
    calls.push(call);
    const rule = takeRule(call);
    const instead = await rule?.before?.(call);
    if (instead === 'cut') return void request.socket.destroy();
    if (instead !== undefined) return send(call, response, instead);

    const answer = await upstream.ask({ method: call.method, path, headers: request.headers, body });
    kinds.learn(call.kind, path, answer);
    if ((await rule?.after?.(call)) === 'cut') return void request.socket.destroy();
    send(call, response, answer);
  }

  function takeRule(call: Call): Rule | undefined {
    const rule = rules.find(
      ({ match, left }) => left > 0 && (typeof match === 'function' ? match(call) : match === call.kind),
    );
    if (rule !== undefined) rule.left--;
    return rule;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `${options.plain ? 'http' : 'https'}://127.0.0.1:${portOf(server)}`;
  kinds.learn(
    'directory',
    upstreamUrl.pathname,
    await upstream.ask({ method: 'GET', path: upstreamUrl.pathname }),
  );

  return {
    directoryUrl: origin + upstreamUrl.pathname,
    caFile,
    calls,
    connections: () => connections,
    counts: () => countByKind(calls),
    hold(match) {
      let settle: (what: 'send' | 'cut') => void = () => {};
      const decision = new Promise<'send' | 'cut'>((resolve) => {
        settle = resolve;
      });
      const seen = new Promise<Call>((resolve) => {
        const after = (call: Call) => {
          resolve(call);
          return decision;
        };
        rules.push({ match, left: 1, after });
      });
      return { seen, release: () => settle('send'), drop: () => settle('cut') };
    },
    status(match, { times = 1, ...answer }) {
      const before = async () =>
        fakeAnswer(answer, answer.nonce ? await upstream.freshNonce(kinds.newNoncePath()) : undefined);
      rules.push({ match, left: times, before });
    },
    cut(match, when, times = 1) {
      const cut = async () => 'cut' as const;
      rules.push({ match, left: times, ...(when === 'before' ? { before: cut } : { after: cut }) });
    },
    async stop() {
      server.closeAllConnections();
      upstream.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function createFront(plain: boolean, listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const authority = createAuthority();
  const caFile = join(testFolder('proxy'), 'ca.pem');
  writeFileSync(caFile, authority.certificatePem);
  const { certificatePem, privateKeyPem } = authority.issue(['localhost', '127.0.0.1']);
  const settings = { keepAliveTimeout: 60_000 };
  const server = plain
    ? createHttpServer(settings, listener)
    : createHttpsServer({ ...settings, cert: certificatePem, key: privateKeyPem }, listener);
  return { server, caFile };
}

function send(call: Call, response: ServerResponse, answer: Answer): void {
  call.status = answer.status;
  const headers: IncomingHttpHeaders = { ...answer.headers };
  // The body was read whole; how it was cut into pieces is the upstream connection's affair.
  for (const name of ['transfer-encoding', 'connection', 'keep-alive', 'content-length'])
    delete headers[name];
  response.writeHead(answer.status, headers);
  response.end(call.method === 'HEAD' ? undefined : answer.body);
}

function fakeAnswer(answer: FakeAnswer, nonce: string | undefined): Answer {
  const { body } = answer;
  const isProblem = typeof body === 'object';
  return {
    status: answer.code,
    headers: {
      ...(isProblem ? { 'content-type': 'application/problem+json' } : {}),
      ...(nonce === undefined ? {} : { 'replay-nonce': nonce }),
      ...answer.headers,
    },
    body: Buffer.from(isProblem ? JSON.stringify(body) : (body ?? '')),
  };
}

function countByKind(calls: readonly Call[]): Partial<Record<CallKind, number>> {
  const counts: Partial<Record<CallKind, number>> = {};
  for (const { kind } of calls) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
