import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ChallengeTokens, Log } from '../../src/core/ports.ts';
import { createPort80, type Port80, type Port80Limits } from '../../src/edge/port80.ts';
import { createTokens } from './tokens.ts';

const token = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
const keyAuthorization = `${token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
const address = '127.0.0.1';
const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

const open = new Set<Port80>();

afterEach(async () => {
  await Promise.all([...open].map((port80) => port80.close()));
  open.clear();
});

async function start(limits?: Partial<Port80Limits>, given?: Partial<ChallengeTokens>) {
  const tokens = createTokens();
  await tokens.put(token, keyAuthorization, Number.MAX_SAFE_INTEGER);
  const port80 = createPort80(
    { port: 0, address, limits },
    { tokens: given === undefined ? tokens : { ...tokens, ...given }, log: quiet },
  );
  open.add(port80);
  const { port } = await port80.listen();
  return { tokens, port80, port };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function ask(
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
async function exchange(port: number, bytes: string): Promise<string> {
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

describe('port 80', () => {
  it('answers a challenge with its key authorization for any Host, and says that it was fetched', async () => {
    const { port, tokens } = await start();
    for (const host of ['www.example.com', 'other.example.org:8080', '[2001:db8::1]']) {
      const answer = await ask(port, `/.well-known/acme-challenge/${token}`, { headers: { host } });
      expect(answer).toMatchObject({ status: 200, body: keyAuthorization });
      expect(answer.headers).toMatchObject({
        'content-type': 'text/plain',
        'cache-control': 'no-store',
      });
    }
    await expect.poll(() => tokens.fetched).toEqual([token, token, token]);
  });

  it('answers without a Host, in HTTP/1.0 and 1.1, and the absolute form of the URL', async () => {
    const { port } = await start();
    const path = `/.well-known/acme-challenge/${token}`;
    expect(await exchange(port, `GET ${path} HTTP/1.0\r\n\r\n`)).toContain(keyAuthorization);
    expect(await exchange(port, `GET ${path} HTTP/1.1\r\n\r\n`)).toContain(keyAuthorization);
    const absolute = `GET http://www.example.com${path} HTTP/1.1\r\nHost: www.example.com\r\n\r\n`;
    const answer = await exchange(port, absolute);
    expect(answer).toContain(keyAuthorization);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('answers HEAD without a body, which is no fetch by a CA', async () => {
    const { port, tokens } = await start();
    const answer = await ask(port, `/.well-known/acme-challenge/${token}`, { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['content-length']).toBe(String(keyAuthorization.length));
    await ask(port, '/.well-known/acme-challenge/unknown');
    expect(tokens.fetched).toEqual([]);
  });

  it('answers 404 for a token that it does not know', async () => {
    const { port, tokens } = await start();
    expect(await ask(port, '/.well-known/acme-challenge/unknown')).toMatchObject({ status: 404 });
    expect(tokens.asked).toEqual(['unknown']);
    expect(tokens.fetched).toEqual([]);
  });

  it.each([
    ['/'],
    ['/.well-known/acme-challenge/'],
    ['/.well-known/acme-challenge'],
    [`/.well-known/acme-challenge/${'a'.repeat(129)}`],
    ['/.well-known/acme-challenge/..%2f..%2fetc%2fpasswd'],
    ['/.well-known/acme-challenge/../../etc/passwd'],
    ['/.well-known/acme-challenge/a%00b'],
    ['/.well-known/acme-challenge/a*'],
    [`/.well-known/acme-challenge/${token}/`],
    [`/x/.well-known/acme-challenge/${token}`],
    [`//.well-known/acme-challenge/${token}`],
  ])('answers 404 for %s without a look-up', async (path) => {
    const { port, tokens } = await start();
    const answer = await ask(port, path);
    expect(answer.status).toBe(404);
    expect(answer.body.length).toBeLessThan(40);
    expect(tokens.asked).toEqual([]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('answers 404 to %s', async (method) => {
    const { port, tokens } = await start();
    expect(await ask(port, `/.well-known/acme-challenge/${token}`, { method })).toMatchObject({
      status: 404,
    });
    expect(tokens.asked).toEqual([]);
  });

  it('answers 503 when the store cannot be asked, and goes on', async () => {
    let broken = true;
    const { port } = await start(undefined, {
      get: async () => {
        if (broken) throw new Error('no store');
        return keyAuthorization;
      },
    });
    expect(await ask(port, `/.well-known/acme-challenge/${token}`)).toMatchObject({ status: 503 });
    broken = false;
    expect(await ask(port, `/.well-known/acme-challenge/${token}`)).toMatchObject({ status: 200 });
  });
});

describe('what a stranger can hold of port 80', () => {
  it('ends with the time for headers, while others are served', async () => {
    const { port } = await start({ headersMs: 300, requestMs: 600, checkMs: 50 });
    const slow = exchange(port, `GET /.well-known/acme-challenge/${token} HTTP/1.1\r\nX-Slow: `);
    const silent = exchange(port, '');
    expect(await ask(port, `/.well-known/acme-challenge/${token}`)).toMatchObject({ status: 200 });
    expect(await slow).toContain('408');
    expect(await silent).not.toContain('200');
  });

  it('does not include a body: it is answered before the body is there', async () => {
    const { port } = await start();
    const answer = await exchange(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc');
    expect(answer).toContain('404');
  });

  it('does not include large headers', async () => {
    const { port } = await start();
    const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`);
    // The refusal may be lost when we are still sending.
    expect(['', 'HTTP/1.1 431']).toContain(answer.slice(0, 12));
  });

  it('is a bounded number of connections; one that ends makes room', async () => {
    const { port } = await start({ connections: 3 });
    const held = await Promise.all([1, 2, 3].map(() => connected(port)));
    await expect(ask(port, `/.well-known/acme-challenge/${token}`)).rejects.toThrow();
    for (const socket of held) socket.destroy();
    await expect
      .poll(() => ask(port, `/.well-known/acme-challenge/${token}`).then((answer) => answer.status), {
        timeout: 10_000,
      })
      .toBe(200);
  });
});

describe('the life of port 80', () => {
  it('starts with an error that names the port when another program has it', async () => {
    const other = createServer().listen(0, address);
    await once(other, 'listening');
    const taken = other.address();
    const port = typeof taken === 'object' ? (taken?.port ?? 0) : 0;
    const port80 = createPort80({ port, address }, { tokens: createTokens(), log: quiet });
    await expect(port80.listen()).rejects.toMatchObject({
      code: 'config.port',
      message: expect.stringMatching(new RegExp(`port ${port} of 127.0.0.1: another program has it`)),
    });
    await port80.close();
    other.close();
    await once(other, 'close');
    open.add(port80);
    await expect(port80.listen()).resolves.toEqual({ port });
  });

  it('starts with an error that names an address of another machine', async () => {
    const elsewhere = createPort80({ port: 0, address: '192.0.2.1' }, { tokens: createTokens(), log: quiet });
    await expect(elsewhere.listen()).rejects.toMatchObject({
      code: 'config.port',
      message: expect.stringContaining('no such address'),
    });
  });

  it('below 1024 without the right to it starts with an error that says how to get it', async () => {
    const root = process.geteuid?.() === 0;
    const firstFree = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    const port80 = createPort80({ port: 79, address }, { tokens: createTokens(), log: quiet });
    open.add(port80);
    if (root) process.seteuid?.(65534);
    const outcome = await port80.listen().catch((error: unknown) => error);
    if (root) process.seteuid?.(0);
    // Where the kernel gives low ports to everybody, there is nothing to refuse.
    if (firstFree <= 79) return expect(outcome).toEqual({ port: 79 });
    expect(outcome).toMatchObject({
      code: 'config.port',
      message: expect.stringMatching(/^cannot listen on port 79 of 127.0.0.1: .*setcap.*systemd.*authbind/),
    });
  });

  it('ends at once although somebody holds connections, after answering what was asked before', async () => {
    let release: (value: string) => void = () => undefined;
    const looked = new Promise<string>((resolve) => {
      release = resolve;
    });
    let asked = false;
    // Nobody else ends the connection that is held.
    const slow = { headersMs: 300_000, requestMs: 300_000 };
    const { port, port80 } = await start(slow, {
      get: () => {
        asked = true;
        return looked;
      },
    });
    const holder = await connected(port);
    holder.write('GET / HTTP/1.1\r\nX-Slow: ');
    const held = once(holder, 'close');
    const answer = ask(port, `/.well-known/acme-challenge/${token}`);
    await expect.poll(() => asked).toBe(true);

    const closed = port80.close();
    release(keyAuthorization);
    expect(await answer).toMatchObject({ status: 200, body: keyAuthorization });
    await closed;
    await held;
    await expect(ask(port, '/')).rejects.toThrow();
    await port80.close();
  });
});

async function connected(port: number): Promise<Socket> {
  const socket = connect({ host: address, port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
