import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import type { Http } from '../src/core/http.ts';
import { createPrivateCheck } from '../src/http/private.ts';
import { createHttp, type HttpClient, type HttpOptions } from '../src/http.ts';
import { createAuthority } from './support/tls.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('a request to a configured address', () => {
  test('gets status, headers and body back, whatever the status', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(418, {
        'content-type': 'application/json',
        'x-seen': String(request.headers['user-agent']),
      });
      response.end('{"a":[1]}');
    });
    const answer = await http().request(`${url}/x`);
    expect(answer.status).toBe(418);
    expect(answer.headers['x-seen']).toBe('acme-agent/test');
    expect(answer.text()).toBe('{"a":[1]}');
    expect(answer.json()).toEqual({ a: [1] });
  });

  test('sends method, headers and body', async () => {
    const { url } = await serve(async (request, response) => {
      response.end(`${request.method} ${request.headers['x-a']} ${await text(request)}`);
    });
    const answer = await http().request(url, { method: 'POST', headers: { 'x-a': 'b' }, body: 'hello' });
    expect(answer.text()).toBe('POST b hello');
  });

  test('does not follow redirects', async () => {
    const { url } = await serve((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    expect((await http().request(url)).status).toBe(302);
  });

  test('is refused for anything but http and https', async () => {
    await expect(async () => http().request('file:///etc/passwd')).rejects.toMatchObject({
      code: 'net.refused',
    });
    await expect(async () => http().request('nonsense')).rejects.toMatchObject({ code: 'net.refused' });
  });

  test('fails with the origin, and not the path, which may hold a token', async () => {
    const { url, server } = await serve(() => {});
    server.close();
    const failure = http().request(`${url}/hooks/canary-771?key=canary-772`);
    await expect(failure).rejects.toMatchObject({
      code: 'net.failed',
      message: `${url} is not reached: ECONNREFUSED`,
    });
  });

  test('fails when the answer is larger or later than allowed', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/large') response.end('x'.repeat(2000));
      else response.write('x');
    });
    await expect(http().request(`${url}/large`, { maxBytes: 1999 })).rejects.toThrow('more than 1999 bytes');
    await expect(http().request(`${url}/slow`, { timeoutMs: 100 })).rejects.toThrow(
      'did not answer within 0.1 s',
    );
  });

  test('trusts the roots that are given beside the public ones', async () => {
    const authority = createAuthority();
    const { certificatePem: cert, privateKeyPem: key } = authority.issue(['127.0.0.1']);
    const server = createTlsServer({ cert, key }, (_, response) => response.end('trusted'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const trustPem = authority.certificatePem;
    expect((await http({ trustPem }).request(url)).text()).toBe('trusted');
    const untrusted = http({ trustPem, allowPrivate: ['127.0.0.1'] });
    expect((await untrusted.requestUntrusted(url)).text()).toBe('trusted');
    await expect(http().request(url)).rejects.toMatchObject({ code: 'net.failed' });
  });

  test('trusts the roots of the request alone, past any proxy, for that request only', async () => {
    const [one, other] = [createAuthority(), createAuthority()];
    const { certificatePem: cert, privateKeyPem: key } = one.issue(['127.0.0.1']);
    const server = createTlsServer({ cert, key }, (_, response) => response.end('trusted'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = http({ trustPem: other.certificatePem, proxyUrl: 'http://127.0.0.1:1' });
    expect((await client.request(url, { trustPem: one.certificatePem })).text()).toBe('trusted');
    await expect(client.request(url)).rejects.toMatchObject({ code: 'net.failed' });
    const direct = http({ trustPem: one.certificatePem });
    await expect(direct.request(url, { trustPem: other.certificatePem })).rejects.toMatchObject({
      code: 'net.failed',
    });
    // More roots than there is room for: each still counts, also while others push it out.
    const busy = http();
    const roots = Array.from({ length: 20 }, (_, at) => one.certificatePem + '\n'.repeat(at));
    const answers = await Promise.all(roots.map((trustPem) => busy.request(url, { trustPem })));
    expect(answers.map((answer) => answer.text())).toEqual(roots.map(() => 'trusted'));
  });

  test('ends with the reason of the signal that aborts it', async () => {
    const { url } = await serve(() => {});
    const controller = new AbortController();
    const asked = http().request(url, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 30);
    await expect(asked).rejects.toThrow('enough');
  });

  test('goes through the proxy that is configured', async () => {
    const { url } = await serve((_, response) => response.end('through'));
    const proxy = await serve(() => {});
    const tunnels: string[] = [];
    proxy.server.on('connect', (request, socket) => {
      tunnels.push(String(request.url));
      const [host, port] = String(request.url).split(':');
      const far = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(far).pipe(socket);
      });
      far.on('error', () => socket.destroy());
      socket.on('error', () => far.destroy());
    });
    const answer = await http({ proxyUrl: proxy.url }).request(url);
    expect(answer.text()).toBe('through');
    expect(tunnels).toEqual([new URL(url).host]);
  });
});

describe('a request to an address that a tenant chose', () => {
  const refused = [
    '127.0.0.1',
    '2130706433',
    '10.1.2.3',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '168.63.129.16',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[ff02::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::ffff:0:7f00:1]',
    '[::7f00:1]',
    '[64:ff9b::10.0.0.1]',
    '[2002:7f00:1::]',
  ];
  test.each(refused)('never goes to %s', async (host) => {
    await expect(http().requestUntrusted(`http://${host}:9/`)).rejects.toMatchObject({ code: 'net.refused' });
  });

  test('never goes to a name that has only refused addresses', async () => {
    const { url, hits } = await serve((_, response) => response.end());
    const port = new URL(url).port;
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1%lo', '169.254.169.254']) {
      const asked = http({ resolve: async () => [address] }).requestUntrusted(
        `http://tenant.example:${port}/`,
      );
      await expect(asked).rejects.toMatchObject({ code: 'net.refused' });
    }
    await expect(http().requestUntrusted(`http://localhost:${port}/`)).rejects.toMatchObject({
      code: 'net.refused',
    });
    expect(hits()).toBe(0);
  });

  test('may go to public addresses, also in their IPv6 forms', () => {
    const isPrivate = createPrivateCheck([]);
    const open = [
      '1.1.1.1',
      '2606:4700::1111',
      '64:ff9b::1.1.1.1',
      '::ffff:1.1.1.1',
      '172.32.0.1',
      '100.128.0.1',
    ];
    expect(open.filter(isPrivate)).toEqual([]);
  });

  test('reaches a private address that the operator allowed', async () => {
    const { url } = await serve((_, response) => response.end('allowed'));
    const answer = await http({ allowPrivate: ['127.0.0.0/8'] }).requestUntrusted(url);
    expect(answer.text()).toBe('allowed');
    const single = await http({ allowPrivate: ['127.0.0.1'] }).requestUntrusted(url);
    expect(single.text()).toBe('allowed');
  });

  test('connects to the address it judged, although the name points elsewhere a moment later', async () => {
    const { url, hits } = await serve((_, response) => response.end('judged'));
    const port = new URL(url).port;
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    let looked = 0;
    const resolve = async () => answers[Math.min(looked++, 1)] ?? [];
    const client = http({ allowPrivate: ['127.0.0.1/32'], resolve });
    expect((await client.requestUntrusted(`http://rebind.example:${port}/`)).text()).toBe('judged');
    await expect(client.requestUntrusted(`http://rebind.example:${port}/`)).rejects.toMatchObject({
      code: 'net.refused',
    });
    expect([looked, hits()]).toEqual([2, 1]);
  });

  test('follows redirects and judges each new address', async () => {
    const { url, hits } = await serve((request, response) => {
      if (request.url === '/a') response.writeHead(301, { location: '/b' }).end();
      else if (request.url === '/b') response.end('b');
      else response.writeHead(302, { location: 'http://10.0.0.1/admin' }).end();
    });
    const client = http({ allowPrivate: ['127.0.0.1/32'] });
    expect((await client.requestUntrusted(`${url}/a`)).text()).toBe('b');
    await expect(client.requestUntrusted(`${url}/trap`)).rejects.toMatchObject({ code: 'net.refused' });
    expect(hits()).toBe(3);
  });

  test('gives up after ten redirects, and on a redirect to no web address', async () => {
    const { url, hits } = await serve((request, response) =>
      response.writeHead(302, { location: request.url === '/file' ? 'file:///etc/passwd' : '/again' }).end(),
    );
    const client = http({ allowPrivate: ['127.0.0.1/32'] });
    await expect(client.requestUntrusted(url)).rejects.toThrow('redirects more than 10 times');
    expect(hits()).toBe(11);
    await expect(client.requestUntrusted(`${url}/file`)).rejects.toMatchObject({ code: 'net.refused' });
  });

  test('leaves credentials at their origin and the body of a POST behind', async () => {
    const far = await serve(async (request, response) =>
      response.end(`${request.method} ${request.headers.authorization} [${await text(request)}]`),
    );
    const { url } = await serve((_, response) => response.writeHead(302, { location: far.url }).end());
    const answer = await http({ allowPrivate: ['127.0.0.1'] }).requestUntrusted(url, {
      method: 'POST',
      headers: { Authorization: 'Bearer canary' },
      body: 'body',
    });
    expect(answer.text()).toBe('GET undefined []');
  });

  test('has one deadline for all its redirects', async () => {
    const { url } = await serve((_, response) => {
      setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 60);
    });
    const asked = http({ allowPrivate: ['127.0.0.1'] }).requestUntrusted(url, { timeoutMs: 200 });
    await expect(asked).rejects.toThrow('did not answer within 0.2 s');
  });
});

function http(options: Partial<HttpOptions> = {}): HttpClient & Http {
  const client = createHttp({
    allowPrivate: [],
    clock: systemClock,
    userAgent: 'acme-agent/test',
    ...options,
  });
  closing.push(() => client.close());
  return client;
}

async function serve(answer: RequestListener): Promise<{ url: string; server: Server; hits: () => number }> {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, hits: () => count };
}

async function text(request: IncomingMessage): Promise<string> {
  let all = '';
  for await (const chunk of request) all += chunk;
  return all;
}
