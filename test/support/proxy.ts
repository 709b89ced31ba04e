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
import { createRuleBook, type FakeAnswer, type Faults, type Rule } from './proxy-rules.ts';
import { type Answer, createUpstream } from './proxy-upstream.ts';
import { testFolder } from './run-folder.ts';
import { createAuthority } from './tls.ts';

export type { CallKind } from './proxy-kinds.ts';
export type { FakeAnswer, Fault, Held, Match, Passing } from './proxy-rules.ts';

export interface ProxyOptions {
  /** Directory URL of the CA. */
  readonly upstream: string;
  /** PEM file of the authority of its listener. */
  readonly caFile?: string | undefined;
  /** Listen without TLS. The URLs of a CA stay `https:` then, so that is for the directory and for other upstreams. */
  readonly plain?: boolean | undefined;
  /** For `at` of the calls. Default: real time. */
  readonly now?: (() => number) | undefined;
}

export interface Call {
  readonly kind: CallKind;
  readonly method: string;
  readonly path: string;
  /** Of the JWS, decoded; undefined for a POST-as-GET and for what is no JWS. */
  readonly payload: unknown;
  /** What the client was answered; undefined while it waits, and when its connection was cut. */
  status: number | undefined;
  /** When it came. */
  readonly at: number;
}

export interface TestProxy extends Faults {
  readonly directoryUrl: string;
  readonly caFile: string;
  /** Calls seen so far, by kind. */
  counts(): Readonly<Partial<Record<CallKind, number>>>;
  readonly calls: readonly Call[];
  /** Connections accepted so far. */
  connections(): number;
  stop(): Promise<void>;
}

interface Exchange {
  readonly call: Call;
  readonly response: ServerResponse;
  readonly rule?: Rule | undefined;
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
  const { take, ...faults } = createRuleBook();
  const now = options.now ?? Date.now;
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
      at: now(),
    };
    calls.push(call);
    const rule = take(call);
    const instead = await rule?.before?.(call, hangUp(response));
    if (instead === 'cut') return void request.socket.destroy();
    if (instead !== undefined) {
      const nonce = instead.nonce === true ? await upstream.freshNonce(kinds.newNoncePath()) : undefined;
      return send({ call, response }, fakeAnswer(instead, nonce));
    }
    const answer = await upstream.ask({ method: call.method, path, headers: request.headers, body });
    kinds.learn(call.kind, path, answer);
    if ((await rule?.after?.(call)) === 'cut') return void request.socket.destroy();
    await send({ call, response, rule }, rule?.change?.(answer) ?? answer);
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
    ...faults,
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

/** Resolves when the client closes the connection before it has its answer. */
function hangUp(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', () => {
      if (!response.writableFinished) resolve();
    });
  });
}

async function send({ call, response, rule }: Exchange, answer: Answer): Promise<void> {
  call.status = answer.status;
  const headers: IncomingHttpHeaders = { ...answer.headers };
  // The body was read whole; how it was cut into pieces is the upstream connection's affair.
  for (const name of ['transfer-encoding', 'connection', 'keep-alive', 'content-length'])
    delete headers[name];
  response.writeHead(answer.status, headers);
  if (call.method === 'HEAD') return void response.end();
  if (rule?.write === undefined) return void response.end(answer.body);
  await rule.write(answer.body, (piece) => response.write(piece));
  response.end();
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
