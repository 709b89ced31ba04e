import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ChallengeTokens, Log } from '../../src/core/ports.ts';
import { createPort80, type Port80Limits, type Port80Needs } from '../../src/edge/port80.ts';
import { createTokens } from './tokens.ts';

export const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
export const keyAuthorization = `${token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
export const address = '127.0.0.1';
export const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

/** Listens with one challenge in its store, until the end of the test. */
export async function start(
  limits?: Partial<Port80Limits>,
  given?: Partial<ChallengeTokens>,
  otherwise?: Port80Needs['otherwise'],
) {
  const tokens = createTokens();
  await tokens.put(token, keyAuthorization, Number.MAX_SAFE_INTEGER);
  const port80 = createPort80(
    { port: 0, address, limits },
    { tokens: given === undefined ? tokens : { ...tokens, ...given }, otherwise, log: quiet },
  );
  onTestFinished(() => port80.close());
  const { port } = await port80.listen();
  return { tokens, port80, port };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  path: string,
  more: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const sent = request({ host: address, port, path, agent: false, ...more });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error('no answer');
  let body = '';
  for await (const part of response) body += part;
  return { status: response.statusCode, headers: response.headers, body };
}

/** Sends raw bytes and resolves with all that comes back until the server closes. */
export async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect({ host: address, port });
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

export async function connected(port: number): Promise<Socket> {
  const socket = connect({ host: address, port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
