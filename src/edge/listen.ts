import { createServer, type Server } from 'node:net';
import { AgentError } from '../core/errors.ts';

/** Where something listens. */
export interface Place {
  /** 0: any free one. */
  readonly port: number;
  /** undefined: all, IPv6 and IPv4. */
  readonly address?: string | undefined;
}

/** What a listener is for, in words of the remedies. */
export interface Purpose {
  /** The port that CAs come to. */
  readonly usualPort: number;
  /** What a program that has the port already would have to do. */
  readonly instead: string;
}

/** Resolves with the port in use; rejects with `config.port` when it cannot be had. */
export function listenAt(server: Server, place: Place, purpose: Purpose): Promise<{ readonly port: number }> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(portError(error, place, purpose));
    server.once('error', refuse);
    server.listen({ port: place.port, host: place.address }, () => {
      server.off('error', refuse);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : place.port });
    });
  });
}

/** Rejects with `config.port` when the port cannot be had now; does not keep it. */
export async function tryPort(place: Place, purpose: Purpose): Promise<void> {
  const server = createServer();
  await listenAt(server, place, purpose);
  await new Promise((resolve) => server.close(resolve));
}

function portError(error: NodeJS.ErrnoException, { port, address }: Place, purpose: Purpose): AgentError {
  const place = `port ${port} of ${address ?? 'all addresses'}`;
  const facts = { port, address, errno: error.code };
  const advice = remedy(error.code, purpose);
  const message = `cannot listen on ${place}: ${advice ?? reason(error)}`;
  return new AgentError('config.port', message, { facts, advice, cause: error });
}

function remedy(code: string | undefined, { usualPort, instead }: Purpose): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `another program has it; stop that one, or ${instead}`;
    case 'EACCES':
      return `this user may not open ports below 1024; allow it with "setcap cap_net_bind_service=+ep" on the node binary, AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or authbind, or choose a higher port and forward ${usualPort} to it`;
    default:
      return undefined;
  }
}

function reason({ code, message }: NodeJS.ErrnoException): string {
  return code === 'EADDRNOTAVAIL' ? 'this machine has no such address' : message;
}
