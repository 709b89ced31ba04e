import { connect, type Socket } from 'node:net';
import type { Log } from '../core/ports.ts';
import { proxyHeader } from './proxy-protocol.ts';

/** A TCP server behind the listener. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
  /** It is told first who the client is: PROXY protocol, version 2. */
  readonly proxyProtocol?: boolean | undefined;
}

/** Dead peers are found by the kernel: a connection may be quiet for as long as it likes. */
const keepAliveMs = 60_000;

/** Passes connections on as they are, byte for byte, each end closed as the other one is. */
export function createForwarder(
  { host, port, proxyProtocol = false }: Upstream,
  log: Log,
): (client: Socket) => void {
  let isAway = false;

  return (client) => {
    const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
    client.setKeepAlive(true, keepAliveMs);
    upstream.setKeepAlive(true, keepAliveMs);
    if (proxyProtocol) upstream.write(proxyHeader(client));
    let isConnected = false;
    upstream.once('connect', () => {
      isConnected = true;
      if (isAway) log.info({ host, port }, 'the server behind the TLS port is there again');
      isAway = false;
    });
    upstream.on('error', (error) => {
      // Once, not for each client.
      if (!isConnected && !isAway) {
        log.warn({ host, port, error }, 'the server behind the TLS port is not reached');
        isAway = true;
      }
      client.destroy();
    });
    client.once('close', (hadError) => {
      if (hadError || !isConnected) upstream.destroy();
      else upstream.destroySoon();
    });
    upstream.once('close', () => client.destroySoon());
    client.pipe(upstream);
    upstream.pipe(client);
  };
}
