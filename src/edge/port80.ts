import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentError } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';

export interface Port80Options {
  /** 0: any free one. */
  readonly port: number;
  /** Address to listen on; undefined: all, IPv6 and IPv4. */
  readonly address?: string | undefined;
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

const defaultLimits: Port80Limits = {
  connections: 2048,
  headersMs: 5_000,
  requestMs: 10_000,
  checkMs: 1_000,
};

/** A token has base64url characters only (RFC 8555 §8.1); what is longer than any CA makes them is not looked up. */
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

  function listen(): Promise<{ readonly port: number }> {
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException) => reject(portError(error, options));
      server.once('error', refuse);
      server.listen({ port: options.port, host: options.address }, () => {
        server.off('error', refuse);
        server.on('error', (error) => log.error({ error }, 'port 80 listener failed'));
        const { port } = server.address() as AddressInfo;
        log.info({ port, address: options.address }, 'answering http-01 challenges');
        resolve({ port });
      });
    });
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

/** Rejects with `config.port` when the port cannot be had now; does not keep it. */
export async function tryPort(options: Pick<Port80Options, 'port' | 'address'>): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, options)));
    server.listen({ port: options.port, host: options.address }, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
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

function portError(
  error: NodeJS.ErrnoException,
  options: Pick<Port80Options, 'port' | 'address'>,
): AgentError {
  const place = `port ${options.port} of ${options.address ?? 'all addresses'}`;
  const facts = { port: options.port, address: options.address, errno: error.code };
  return new AgentError('config.port', `cannot listen on ${place}: ${remedy(error)}`, {
    facts,
    cause: error,
  });
}

function remedy(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program has it; stop that one, or choose another port and pass /.well-known/acme-challenge/ on to it';
    case 'EACCES':
      return 'this user may not open ports below 1024; allow it with "setcap cap_net_bind_service=+ep" on the node binary, AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or authbind, or choose a higher port and forward 80 to it';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return error.message;
  }
}
