import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, type Server } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { TlsAnswer, TlsAnswers } from '../../src/core/ports.ts';
import { createTlsAlpn, type TlsAlpnOptions } from '../../src/edge/tls-alpn.ts';
import { createMemoryLog } from '../support/memory.ts';
import { anAnswer, createTlsAnswers } from './tls-answers.ts';
import { createTokens } from './tokens.ts';

export const address = '127.0.0.1';
export const name = 'www.example.com';
export const acme = { servername: name, ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false };
const acmeIdentifier = Buffer.from('06082b0601050507011f0101ff', 'hex');

export const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A listener with one answer, for `www.example.com`. */
export async function start(
  options: Partial<TlsAlpnOptions> = {},
  { answers = [anAnswer()], given = {} }: { answers?: TlsAnswer[]; given?: Partial<TlsAnswers> } = {},
) {
  const tokens = createTokens();
  const tlsAnswers = createTlsAnswers();
  await tlsAnswers.put(answers);
  const log = createMemoryLog();
  const needs = { tokens, tlsAnswers: { ...tlsAnswers, ...given }, clock: systemClock, log };
  const edge = createTlsAlpn({ port: 0, address, ...options }, needs);
  ends.push(() => edge.close());
  const { port } = await edge.listen();
  return { edge, port, tokens, tlsAnswers, log };
}

export async function listening(server: Server): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

export async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = tlsConnect({ host: address, port, ...options });
  ends.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

export function isAnswerFor({ keyAuthorization }: TlsAnswer, socket: TLSSocket): boolean {
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const critical = Buffer.concat([acmeIdentifier, Buffer.from([4, 34, 4, 32]), digest]);
  return socket.alpnProtocol === 'acme-tls/1' && socket.getPeerCertificate().raw.includes(critical);
}

/** Sends raw bytes; resolves with all that comes back until the other side closes. */
export async function exchange(port: number, bytes: Uint8Array | string, isEnded = false): Promise<Buffer> {
  const socket = connect({ host: address, port });
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => undefined);
  if (isEnded) socket.end(bytes);
  else socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(parts);
}
