import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Ports } from '../core/ports.ts';
import { listenAt, type Place, type Purpose } from './listen.ts';

export interface Port80Options extends Place {
  readonly limits?: Partial<Port80Limits> | undefined;
}

/** What a stranger can hold of us. Defaults are generous for a validator and tight for everybody else. */
export interface Port80Limits {
  readonly connections: number;
  readonly headersMs: number;
  readonly requestMs: number;
  /** How often the two limits above are checked. */
  readonly checkMs: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
}

export interface Port80Needs extends Pick<Ports, 'tokens' | 'log'> {
  /** Answers what is no challenge; absent: it is not found. */
  readonly otherwise?: ((request: IncomingMessage) => Promise<Answer>) | undefined;
}

export interface Port80 {
  /** Resolves with the port in use; rejects with `config.port` when it cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  /** Answers what was asked before, then closes every connection. */
  close(): Promise<void>;
}

export const port80Purpose: Purpose = {
  usualPort: 80,
  instead: 'choose another port and pass /.well-known/acme-challenge/ on to it',
};

const defaultLimits: Port80Limits = {
  connections: 2048,
  headersMs: 5_000,
  requestMs: 10_000,
  checkMs: 1_000,
};

export const notFound: Answer = { status: 404, body: 'Not found.\n' };
const tryAgain: Answer = { status: 503, body: 'Try again.\n' };

/** What of a body is read and thrown away before the connection is closed: who still sends may not see the answer. */
const mostBody = 256 * 1024;
/** It must go on that fast. */
const lingerMs = 1_000;

/** Nobody who comes for a challenge is sent elsewhere. */
const challengePath = /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge(?:[/?].*)?$/i;
/** A token has base64url characters only (RFC 8555 §8.3); what is longer than any CA makes them is not looked up. */
const challengeUrl = /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,128})(?:\?.*)?$/;

/**
 * Answers http-01 challenges for any Host (RFC 8555 §8.3) from the shared tokens, before everything else. After the answer
 * has left, every agent is told that the CA fetched the token.
 */
export function createPort80(options: Port80Options, needs: Port80Needs): Port80 {
  const { tokens, log, otherwise = async () => notFound } = needs;
  const limits = { ...defaultLimits, ...options.limits };
  const answering = new Set<Promise<void>>();
  let isTroubled = false;

  const server = createServer({
    maxHeaderSize: 8 * 1024,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    requireHostHeader: false,
  });
  server.maxConnections = limits.connections;
  server.timeout = limits.requestMs;
  const take = (request: IncomingMessage, response: ServerResponse) => {
    const work = answer(request, response).finally(() => answering.delete(work));
    answering.add(work);
  };
  server.on('request', take);
  // Whoever waits with the body until it is wanted has the answer at once.
  server.on('checkContinue', take);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { url = '' } = request;
      const found = challengePath.test(url)
        ? await answerChallenge(request, response)
        : await otherwise(request);
      reply(request, response, found);
      isTroubled = false;
    } catch (error) {
      // Once, not for each client.
      if (!isTroubled) log.warn({ error }, 'requests to port 80 cannot be answered');
      isTroubled = true;
      reply(request, response, tryAgain);
    }
  }

  async function answerChallenge(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const token = tokenOf(request);
    if (token === undefined) return notFound;
    const keyAuthorization = await tokens.get(token);
    if (keyAuthorization === undefined) return { status: 404, body: 'No such challenge.\n' };
    // HEAD is what monitors send; the CA fetches with GET.
    if (request.method === 'GET') response.once('finish', () => tokens.announceFetched(token));
    return { status: 200, body: keyAuthorization };
  }

  async function listen(): Promise<{ readonly port: number }> {
    const { port } = await listenAt(server, options, port80Purpose);
    server.on('error', (error) => log.error({ error }, 'port 80 listener failed'));
    log.info({ port, address: options.address }, 'answering http-01 challenges');
    return { port };
  }

  async function close(): Promise<void> {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    await Promise.allSettled(answering);
    server.closeAllConnections();
    await closed;
  }

  return { listen, close };
}

function tokenOf(request: IncomingMessage): string | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  return challengeUrl.exec(request.url ?? '')?.[1];
}

function reply(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A validator asks once; kept connections would only fill the limit.
    connection: 'close',
    ...headers,
  });
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  if (length === '0' && coding === undefined) return void response.end(body);
  response.write(body);
  drain(request, () => response.end());
}

/** A connection that is closed with something unread is reset, and the answer on its way may be lost. */
function drain(request: IncomingMessage, done: () => void): void {
  let left = mostBody;
  request.socket.setTimeout(lingerMs, () => request.destroy());
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.once('close', done);
  request.once('end', done);
}
