import { describe, expect, it } from 'vitest';
import { ask, connected, exchange, keyAuthorization, start, token } from './port80-kit.ts';

describe('port 80', () => {
  it('C15 answers a challenge with its key authorization for any Host, and says that it was fetched', async () => {
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
