import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpsServer, request } from 'node:https';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../support/tls.ts';
import { fragmented, realHello } from './client-hello.ts';
import {
  acme,
  address,
  ends,
  exchange,
  handshake,
  isAnswerFor,
  listening,
  name,
  start,
} from './tls-alpn-kit.ts';
import { anAnswer } from './tls-answers.ts';

/** A web server as a platform has it, with a certificate for the name. */
function website(): Promise<number> {
  const { certificatePem, privateKeyPem } = createAuthority().issue([name]);
  const server = createHttpsServer({ cert: certificatePem, key: privateKeyPem }, (_, response) =>
    response.end('the website'),
  );
  ends.push(() => server.closeAllConnections());
  return listening(server);
}

function page(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: address, port, servername: name, rejectUnauthorized: false, agent: false };
    const sent = request(options, (response) => {
      let body = '';
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve(body));
    });
    sent.on('error', reject).end();
  });
}

describe('the listener for tls-alpn-01 answers', () => {
  test('a handshake for a name with an answer, and tells that the CA has seen it', async () => {
    const { port, tokens } = await start();
    const socket = await handshake(port, acme);
    expect(isAnswerFor(anAnswer(), socket)).toBe(true);
    expect(new X509Certificate(socket.getPeerCertificate().raw).subjectAltName).toBe(`DNS:${name}`);
    await once(socket, 'close');
    await expect.poll(() => tokens.fetched).toEqual([anAnswer().token]);
  });

  test('openssl, and clients of TLS 1.2', async () => {
    const { port } = await start();
    const place = ['-connect', `${address}:${port}`, '-servername', name];
    const client = spawn('openssl', ['s_client', ...place, '-alpn', 'acme-tls/1', '-tls1_2']);
    client.stdin.end();
    const said = await text(client.stdout);
    expect(said).toContain('ALPN protocol: acme-tls/1');
    expect(said).toContain('BEGIN CERTIFICATE');
  });

  test('for an IP address by its reverse name, with the address in the certificate', async () => {
    const serverName = '7.2.0.192.in-addr.arpa';
    const answer = anAnswer({ serverName, identifier: '192.0.2.7' });
    const { port } = await start({}, { answers: [answer] });
    const socket = await handshake(port, { ...acme, servername: serverName });
    expect(isAnswerFor(answer, socket)).toBe(true);
    expect(new X509Certificate(socket.getPeerCertificate().raw).subjectAltName).toBe('IP Address:192.0.2.7');
  });

  test('a ClientHello that trickles in, in small records', async () => {
    const { port, tokens } = await start();
    const socket = connect({ host: address, port, noDelay: true });
    ends.push(() => socket.destroy());
    for (const byte of fragmented(await realHello(acme), 64)) socket.write(Buffer.of(byte));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    // ServerHello.
    expect(answer[0]).toBe(22);
    expect(answer[5]).toBe(2);
    expect(tokens.fetched).toEqual([]);
  });

  test('with the first of two answers for one name, then with the other', async () => {
    const answers = [anAnswer(), anAnswer({ token: 'another' })];
    const { port, tlsAnswers } = await start({}, { answers });
    expect(isAnswerFor(anAnswer(), await handshake(port, acme))).toBe(true);
    await tlsAnswers.remove(name, anAnswer().token);
    expect(isAnswerFor(anAnswer({ token: 'another' }), await handshake(port, acme))).toBe(true);
  });
});

describe('everything else', () => {
  test('is passed on to the server behind, byte for byte', async () => {
    const { port, tlsAnswers } = await start({ forward: { host: address, port: await website() } });
    expect(await page(port)).toBe('the website');
    const socket = await handshake(port, { ...acme, ALPNProtocols: ['http/1.1'] });
    expect(socket.getPeerCertificate().subject.CN).toBe(name);
    // Only handshakes that offer the protocol cost a look at the store.
    expect(tlsAnswers.asked).toEqual([]);
  });

  test('also where it offers the protocol for a name without an answer', async () => {
    const behind = await start({}, { answers: [anAnswer({ serverName: 'other.example.com' })] });
    const { port, tokens } = await start({ forward: { host: address, port: behind.port } });
    const socket = await handshake(port, { ...acme, servername: 'other.example.com' });
    expect(socket.alpnProtocol).toBe('acme-tls/1');
    await expect.poll(() => behind.tokens.fetched).toHaveLength(1);
    expect(tokens.fetched).toEqual([]);
  });

  test('beside challenges on the same port, hundreds at once, each answered right', async () => {
    const { port, tokens } = await start({ forward: { host: address, port: await website() } });
    const answer = anAnswer();
    const work = Array.from({ length: 300 }, async (_, index) => {
      if (index % 3 > 0) return page(port);
      const socket = await handshake(port, acme);
      const isRight = isAnswerFor(answer, socket);
      socket.end();
      return isRight;
    });
    const seen = await Promise.all(work);
    expect(seen.filter((one) => one === true)).toHaveLength(100);
    expect(seen.filter((one) => one === 'the website')).toHaveLength(200);
    await expect.poll(() => tokens.fetched.length).toBe(100);
  });

  test('in bulk, both ways, and each end is closed as the other one is', async () => {
    const bulk = Buffer.alloc(8_000_000, 'x');
    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    const { port } = await start({ forward: { host: address, port: await listening(echo) } });
    expect((await exchange(port, bulk, true)).equals(bulk)).toBe(true);
  });

  test('with the client’s address before it, where the server behind asks for that', async () => {
    const behind = createServer((socket) => {
      socket.once('data', (bytes) => {
        const [from, to] = [bytes.readUInt16BE(24), bytes.readUInt16BE(26)];
        socket.end(`${bytes.subarray(16, 20).join('.')} ${from} ${to} ${bytes.subarray(28)}`);
      });
    });
    const { port } = await start({
      forward: { host: address, port: await listening(behind), proxyProtocol: true },
    });
    const socket = connect({ host: address, port });
    socket.write('hello');
    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toBe(`127.0.0.1 ${socket.localPort} ${port} hello`);
  });

  test('is refused with an alert where there is no server behind', async () => {
    const { port } = await start();
    await expect(handshake(port, { ...acme, ALPNProtocols: ['h2'] })).rejects.toThrow(/unrecognized name/);
    await expect(handshake(port, { ...acme, servername: 'other.example.com' })).rejects.toThrow(
      /unrecognized name/,
    );
    expect(await exchange(port, 'GET / HTTP/1.1\r\n\r\n')).toHaveLength(0);
    expect((await exchange(port, Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0]))).toString('hex')).toBe(
      '15030300020232',
    );
  });

  test('is closed where the server behind is away, which is said once', async () => {
    const gone = createServer();
    const free = await listening(gone);
    await new Promise((resolve) => gone.close(resolve));
    const { port, log } = await start({ forward: { host: address, port: free } });
    await exchange(port, 'hello');
    await exchange(port, 'hello');
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringContaining('the server behind the TLS port is not reached'),
    ]);
  });

  test('is passed on while the store is away', async () => {
    const of = () => Promise.reject(new Error('no store'));
    const { port, log } = await start(
      { forward: { host: address, port: await website() } },
      { given: { of } },
    );
    expect(await page(port)).toBe('the website');
    const socket = await handshake(port, { ...acme, ALPNProtocols: ['acme-tls/1', 'http/1.1'] });
    expect(socket.getPeerCertificate().subject.CN).toBe(name);
    expect(log.lines.join('\n')).toContain('tls-alpn-01 answer could not be looked up');
  });
});

describe('the listener', () => {
  test('logs no key authorization and no key', async () => {
    const { port, log } = await start();
    await handshake(port, acme);
    await exchange(port, 'no TLS');
    const lines = log.lines.join('\n');
    expect(lines).toContain('tls-alpn-01 answered');
    expect(lines).not.toContain(anAnswer().keyAuthorization);
    expect(lines).not.toContain(anAnswer().token);
  });

  test('whose port is taken says what to do', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({
      code: 'config.port',
      message: `cannot listen on port ${port} of ${address}: another program has it; stop that one, or let that one listen elsewhere and name its new place in tlsAlpn01.forward`,
    });
  });

  test('ends with all its connections', async () => {
    const { edge, port } = await start({ forward: { host: address, port: await website() } });
    const socket = await handshake(port, { ...acme, ALPNProtocols: ['http/1.1'] });
    await Promise.all([once(socket, 'close'), edge.close()]);
    await expect(handshake(port, acme)).rejects.toThrow(/ECONNREFUSED/);
  });
});
