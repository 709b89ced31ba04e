import { createServer, type Socket } from 'node:net';
import type { Ports, TlsAnswer } from '../core/ports.ts';
import { type FirstBytes, firstBytes } from './first-bytes.ts';
import { createForwarder, type Upstream } from './forward.ts';
import { acmeProtocol, answerHandshake, refuseHandshake } from './handshake.ts';
import { listenAt, type Place, type Purpose } from './listen.ts';

export interface TlsAlpnOptions extends Place {
  /** Where everything goes that is no challenge; undefined: it is refused. */
  readonly forward?: Upstream | undefined;
  readonly limits?: Partial<TlsAlpnLimits> | undefined;
}

/** What a stranger can hold of us. */
export interface TlsAlpnLimits {
  readonly connections: number;
  /** Connections of which it is not known yet what they want. */
  readonly undecided: number;
  /** A client has this long to say what it wants. */
  readonly helloMs: number;
  /** For the handshake of a challenge, and for the other side to close. */
  readonly handshakeMs: number;
}

export interface TlsAlpn {
  /** Resolves with the port in use; rejects with `config.port` when it cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  /** Closes every connection, those passed on too. */
  close(): Promise<void>;
}

export const tlsAlpnPurpose: Purpose = {
  usualPort: 443,
  instead: 'let that one listen elsewhere and name its new place in tlsAlpn01.forward',
};

const defaultLimits: TlsAlpnLimits = {
  connections: 16_384,
  undecided: 2048,
  helloMs: 5_000,
  handshakeMs: 10_000,
};

/**
 * Answers tls-alpn-01 challenges (RFC 8737) from the shared answers. It reads the ClientHello and takes only handshakes
 * that offer `acme-tls/1` for a name with an answer; all others are passed on as they came, or refused. After the
 * handshake every agent is told that the CA has seen the answer.
 */
export function createTlsAlpn(
  options: TlsAlpnOptions,
  needs: Pick<Ports, 'tlsAnswers' | 'tokens' | 'clock' | 'log'>,
): TlsAlpn {
  const { tlsAnswers, tokens, clock, log } = needs;
  const limits = { ...defaultLimits, ...options.limits };
  const { handshakeMs } = limits;
  const forward = options.forward && createForwarder(options.forward, log);
  const sockets = new Set<Socket>();
  let undecided = 0;

  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.maxConnections = limits.connections;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Strangers come and go as they like.
    socket.on('error', (error) => log.debug({ error }, 'a connection to the TLS port broke'));
    if (undecided >= limits.undecided) return void socket.destroy();
    serve(socket).catch((error: unknown) => {
      log.warn({ error }, 'a connection to the TLS port could not be served');
      socket.destroy();
    });
  });

  async function serve(socket: Socket): Promise<void> {
    undecided += 1;
    const { first, answer } = await decide(socket).finally(() => {
      undecided -= 1;
    });
    if (first === undefined || socket.destroyed) socket.destroy();
    else if (answer !== undefined)
      await answerHandshake(socket, answer, { tokens, clock, log, ms: handshakeMs });
    else if (forward !== undefined) forward(socket);
    else refuseHandshake(socket, first, { clock, ms: handshakeMs });
  }

  async function decide(socket: Socket) {
    const first = await firstBytes(socket, { clock, ms: limits.helloMs });
    return { first, answer: first?.is === 'hello' ? await answerTo(first) : undefined };
  }

  async function answerTo({ hello }: FirstBytes & { readonly is: 'hello' }): Promise<TlsAnswer | undefined> {
    const { serverName, protocols } = hello;
    if (serverName === undefined || !protocols.includes(acmeProtocol)) return undefined;
    try {
      return (await tlsAnswers.of(serverName))[0];
    } catch (error) {
      log.warn({ serverName, error }, 'tls-alpn-01 answer could not be looked up');
      return undefined;
    }
  }

  async function listen(): Promise<{ readonly port: number }> {
    const { port } = await listenAt(server, options, tlsAlpnPurpose);
    server.on('error', (error) => log.error({ error }, 'TLS listener failed'));
    const { host, port: upstreamPort } = options.forward ?? {};
    const upstream = host === undefined ? undefined : `${host}:${upstreamPort}`;
    log.info({ port, address: options.address, forward: upstream }, 'answering tls-alpn-01 challenges');
    return { port };
  }

  async function close(): Promise<void> {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return { listen, close };
}
