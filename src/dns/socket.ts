import { createSocket } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { createConnection, isIPv6 } from 'node:net';
import type { Clock } from '../core/ports.ts';

/** An address literal, never a host name; port 53 when absent. */
export interface DnsServer {
  readonly address: string;
  readonly port?: number | undefined;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  /** Aborted: rejects with the signal's reason and closes the socket. */
  readonly signal: AbortSignal;
  /** For the whole exchange over one transport; default 3 s. */
  readonly timeoutMs?: number | undefined;
}

interface Outcome {
  resolve(reply: Buffer): void;
  reject(cause: unknown): void;
}

const defaultTimeoutMs = 3000;

/**
 * One datagram there, one back. What does not come from that server, or `accepts` does not take, is ignored as forged.
 * The datagram is sent once more when half of the time went by: it may have been lost.
 */
export function exchangeUdp(
  server: DnsServer,
  message: Uint8Array,
  options: ExchangeOptions & { accepts(reply: Buffer): boolean },
): Promise<Buffer> {
  return settleOnce(options, (outcome) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    const send = () => socket.send(message, (error) => error && outcome.reject(error));
    let cancelResend = () => {};
    socket.on('error', outcome.reject);
    socket.on('message', (reply) => {
      if (options.accepts(reply)) outcome.resolve(reply);
    });
    // A connected socket makes the kernel drop what comes from any other address or port.
    socket.connect(server.port ?? 53, server.address, () => {
      send();
      cancelResend = options.clock.after((options.timeoutMs ?? defaultTimeoutMs) / 2, send);
    });
    return () => {
      cancelResend();
      socket.close();
    };
  });
}

/** RFC 7766: one connection, one message with a two-byte length before it, one back. */
export function exchangeTcp(
  server: DnsServer,
  message: Uint8Array,
  options: ExchangeOptions,
): Promise<Buffer> {
  return settleOnce(options, (outcome) => {
    const socket = createConnection({ host: server.address, port: server.port ?? 53 });
    let received: Buffer = Buffer.alloc(0);
    socket.on('connect', () => socket.write(framed(message)));
    socket.on('error', outcome.reject);
    socket.on('end', () => outcome.reject(new Error('the connection was closed without an answer')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (received.length >= length + 2) outcome.resolve(received.subarray(2, length + 2));
    });
    return () => socket.destroy();
  });
}

function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Runs `open` until its outcome, the deadline or an abort, whichever is first; then closes what it opened. */
function settleOnce(options: ExchangeOptions, open: (outcome: Outcome) => () => void): Promise<Buffer> {
  const { clock, signal, timeoutMs = defaultTimeoutMs } = options;
  if (signal.aborted) return Promise.reject(signal.reason);
  // One signal stops any number of queries at once.
  setMaxListeners(0, signal);
  return new Promise<Buffer>((resolve, reject) => {
    let settled = false;
    const end = (settle: () => void) => {
      if (settled) return;
      settled = true;
      cancelDeadline();
      signal.removeEventListener('abort', onAbort);
      close();
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const cancelDeadline = clock.after(timeoutMs, () =>
      end(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`))),
    );
    signal.addEventListener('abort', onAbort);
    const close = open({
      resolve: (reply) => end(() => resolve(reply)),
      reject: (cause) => end(() => reject(cause)),
    });
  });
}
