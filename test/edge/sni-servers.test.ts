import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, createSecureServer } from 'node:http2';
import { createServer, request } from 'node:https';
import type { Server, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSniResolver, type SniResolver } from '../../src/index.ts';
import { fingerprintOf, handshake } from '../support/handshake.ts';
import { addDomain, hold } from './sni-held.ts';
import { type Site, startSite } from './sni-kit.ts';

let site: Site;
const name = 'www.servers.test';
let ec: string;
let rsa: string;

beforeAll(async () => {
  site = await startSite(randomBytes(32).toString('base64'));
  await addDomain(site.store, 'servers.test');
  const held = { of: 'servers.test', names: [name] };
  ec = await hold(site.store, { ...held, id: `servers.test/${name}/ec` });
  rsa = await hold(site.store, { ...held, id: `servers.test/${name}/rsa` });
});

afterAll(() => site?.stop());

async function start(make: (resolver: SniResolver) => Server): Promise<number> {
  const resolver = await createSniResolver(site.options);
  const server = make(resolver).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    await new Promise((resolve) => server.close(resolve));
    await resolver.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const shown = async (port: number, servername: string, keyClass: 'ec' | 'rsa') =>
  fingerprintOf(await handshake({ port, servername, keyClass }));

test('a server of node:https answers requests with the certificate of the name, of the kind that the client takes', async () => {
  const port = await start((resolver) =>
    createServer(resolver.serverOptions(), (_, response) => response.end('hello')),
  );
  const sent = request({
    host: '127.0.0.1',
    port,
    servername: name,
    rejectUnauthorized: false,
    agent: false,
  });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error('no answer');
  expect(response.statusCode).toBe(200);
  const { raw } = (response.socket as TLSSocket).getPeerCertificate();
  expect(fingerprintOf(new X509Certificate(raw))).toBe(ec);
  response.resume();
  expect(await shown(port, name, 'rsa')).toBe(rsa);
  expect(await shown(port, name, 'ec')).toBe(ec);
});

test('so does one of node:http2, over HTTP/2', async () => {
  const port = await start((resolver) => {
    const server = createSecureServer({ ...resolver.serverOptions(), allowHTTP1: true });
    return server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
  });
  const client = connect(`https://127.0.0.1:${port}`, { servername: name, rejectUnauthorized: false });
  onTestFinished(() => client.close());
  const stream = client.request({ ':path': '/' });
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(200);
  const socket = client.socket as TLSSocket;
  expect(socket.alpnProtocol).toBe('h2');
  expect(fingerprintOf(new X509Certificate(socket.getPeerCertificate().raw))).toBe(ec);
  stream.resume();
  expect(await shown(port, name, 'rsa')).toBe(rsa);
  client.close();
});
