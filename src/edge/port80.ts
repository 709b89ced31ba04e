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

/** A token has base64url characters only (RFC 8555 §8.3); what is longer than any CA makes them is not looked up. */
const challengeUrl = /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,128})(?:\?.*)?$/;

/**
 * Answers http-01 challenges for any Host (RFC 8555 §8.3) from the shared tokens, and nothing else. After the answer
 * has left, every agent is told that the CA fetched the token.
 */
export function createPort80(options: Port80Options, needs: Pick<Ports, 'tokens' | 'log'>): Port80 {
  const { tokens, log } = needs;
  const limits = { ...defaultLimits, ...options.limits };
  const answering = new Set<Promise<void>>();

  const server = createServer({
    maxHeaderSize: 8 * 1024,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    requireHostHeader: false,
  });
  server.maxConnections = limits.connections;
  server.timeout = limits.requestMs;
  server.on('request', (request, response) => {
    const work = answer(request, response).finally(() => answering.delete(work));
    answering.add(work);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = tokenOf(request);
    if (token === undefined) return reply(response, 404, 'Not found.\n');
    try {
      const keyAuthorization = await tokens.get(token);
      if (keyAuthorization === undefined) return reply(response, 404, 'No such challenge.\n');
      // HEAD is what monitors send; the CA fetches with GET.
      if (request.method === 'GET') response.once('finish', () => tokens.announceFetched(token));
      reply(response, 200, keyAuthorization);
    } catch (error) {
      log.warn({ token, error }, 'challenge token could not be looked up');
      reply(response, 503, 'Try again.\n');
    }
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

function reply(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A validator asks once; kept connections would only fill the limit.
    connection: 'close',
  });
  response.end(body);
}
