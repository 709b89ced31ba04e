import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { ProbeQuestion, Sight } from '../../src/core/ports.ts';
import { createProber } from '../../src/deploy/probe.ts';
import { createPrivateCheck } from '../../src/http/private.ts';
import { sha256 } from '../../src/x509/certificate.ts';
import { type Forged, forge, keyPem, rsaKey } from '../support/forge.ts';
import { freePort } from '../support/ports.ts';

const never = new AbortController().signal;
const running: Server[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await new Promise((resolve) => server.close(resolve));
});

const now = Date.now();
const dates = { notBefore: now - 86_400_000, notAfter: now + 30 * 86_400_000 };
const root = forge({ subject: 'Test Root', isCa: true, ...dates });
const intermediate = forge({ subject: 'Test Intermediate', isCa: true, issuer: root, ...dates });
const leaf = leafFor(['www.example.com']);

function leafFor(names: readonly string[], more: Partial<Parameters<typeof forge>[0]> = {}): Forged {
  return forge({ subject: names[0] ?? '', names, issuer: intermediate, ...dates, ...more });
}

function contextOf(one: Forged, chain: readonly Forged[]): TlsOptions {
  return { key: keyPem(one.key), cert: [one, ...chain].map(({ pem }) => pem).join('') };
}

async function listening(server: Server, host: string): Promise<number> {
  running.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function serve(options: TlsOptions, host = '127.0.0.1'): Promise<number> {
  const server = createTlsServer(options);
  server.on('tlsClientError', () => undefined);
  return listening(server, host);
}

function proberAt(resolve: (host: string) => Promise<readonly string[]> = async () => []) {
  return createProber({ clock: systemClock, resolve, isPrivate: createPrivateCheck([]) });
}

function look(port: number, more: Partial<ProbeQuestion> = {}): Promise<readonly Sight[]> {
  return proberAt().look({ at: { host: '127.0.0.1', port }, name: 'www.example.com', ...more }, never);
}

describe('a look at a server', () => {
  it('sees the certificate for the name that was asked for, with the chain that was shown', async () => {
    const other = leafFor(['other.example.com']);
    const port = await serve({
      ...contextOf(other, [intermediate]),
      SNICallback: (name, done) =>
        done(
          null,
          name === 'www.example.com' ? createSecureContext(contextOf(leaf, [intermediate])) : undefined,
        ),
    });
    expect(await look(port)).toEqual([
      {
        address: `127.0.0.1:${port}`,
        kind: 'served',
        served: {
          chain: [sha256(leaf.der), sha256(intermediate.der)],
          names: ['www.example.com'],
          serial: expect.any(String),
          issuerName: 'Test Intermediate',
          isSelfSigned: false,
          notBefore: Math.floor(dates.notBefore / 1000) * 1000,
          notAfter: Math.floor(dates.notAfter / 1000) * 1000,
          missing: 'Test Root',
        },
      },
    ]);
    expect(await look(port, { name: 'elsewhere.example.com' })).toMatchObject([
      { served: { names: ['other.example.com'] } },
    ]);
  });

  it('misses an intermediate that is not shown, also when it was shown a moment ago and by another server', async () => {
    const whole = await serve(contextOf(leaf, [intermediate]));
    const bare = await serve(contextOf(leaf, []));
    expect(await look(whole)).toMatchObject([{ served: { chain: { length: 2 } } }]);
    expect(await look(bare)).toMatchObject([
      { served: { chain: [sha256(leaf.der)], missing: 'Test Intermediate' } },
    ]);
  });

  it('finds the chain whole where the root itself is shown, or the certificate has no other issuer', async () => {
    const withRoot = await serve(contextOf(leaf, [intermediate, root]));
    const [seen] = await look(withRoot);
    expect(seen).toMatchObject({ served: { chain: { length: 2 } } });
    expect(seen).not.toHaveProperty('served.missing', expect.anything());
    const own = forge({ subject: 'www.example.com', names: ['www.example.com'], ...dates });
    expect(await look(await serve(contextOf(own, [])))).toMatchObject([
      { served: { isSelfSigned: true, missing: undefined } },
    ]);
  });

  it('takes an intermediate of the same name and another key for none', async () => {
    const impostor = forge({ subject: 'Test Intermediate', isCa: true, issuer: root, ...dates });
    const port = await serve(contextOf(leaf, [impostor]));
    expect(await look(port)).toMatchObject([
      { served: { chain: { length: 1 }, missing: 'Test Intermediate' } },
    ]);
  });

  it('asks for each kind of key by itself', async () => {
    const key = rsaKey(2048);
    const rsa = leafFor(['www.example.com'], { key });
    const port = await serve({
      key: [keyPem(leaf.key), keyPem(key)],
      cert: [leaf.pem + intermediate.pem, rsa.pem + intermediate.pem],
    });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const pair = await serve({
        key: [keyPem(leaf.key), keyPem(key)],
        cert: [leaf.pem + intermediate.pem, rsa.pem + intermediate.pem],
        maxVersion,
      });
      expect(await look(pair, { keyClass: 'ec' })).toMatchObject([
        { served: { chain: { 0: sha256(leaf.der) } } },
      ]);
      expect(await look(pair, { keyClass: 'rsa' })).toMatchObject([
        { served: { chain: { 0: sha256(rsa.der) } } },
      ]);
    }
    expect(await look(port)).toMatchObject([{ kind: 'served' }]);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = await serve({ ...contextOf(leaf, [intermediate]), maxVersion });
      expect(await look(only, { keyClass: 'rsa' })).toMatchObject([{ kind: 'refused' }]);
    }
  });

  it('sees a server that has nothing for the name, and tells it from one that is not reached', async () => {
    const empty = await serve({ SNICallback: (_, done) => done(null, undefined) });
    expect(await look(empty)).toMatchObject([
      { kind: 'refused', message: expect.stringContaining('handshake failure') },
    ]);
    const closed = await freePort();
    expect(await look(closed)).toEqual([
      { address: `127.0.0.1:${closed}`, kind: 'unreachable', message: 'nothing listens there' },
    ]);
  });

  it('does not wait for a port that is silent, nor take what is not TLS for a certificate', async () => {
    const silent = await listening(
      createServer((socket) => socket.on('error', () => undefined).resume()),
      '127.0.0.1',
    );
    const plain = await listening(
      createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      '127.0.0.1',
    );
    const hangsUp = await listening(
      createServer((socket) => socket.destroy()),
      '127.0.0.1',
    );
    const [mute, other, gone] = await Promise.all([look(silent), look(plain), look(hangsUp)]);
    expect(mute).toMatchObject([{ kind: 'unreachable', message: 'it did not answer within 5 s' }]);
    expect(other).toMatchObject([{ kind: 'unreachable', message: 'what answers there does not speak TLS' }]);
    expect(gone).toMatchObject([{ kind: 'unreachable' }]);
  });

  it('looks at each address of a name, IPv4 and IPv6', async () => {
    const six = await serve(contextOf(leaf, [intermediate]), '::1');
    const prober = proberAt(async () => ['127.0.0.1', '::1']);
    const sights = await prober.look(
      { at: { host: 'edge.internal', port: six }, name: 'www.example.com' },
      never,
    );
    expect(sights).toMatchObject([
      { address: `127.0.0.1:${six}`, kind: 'unreachable' },
      { address: `[::1]:${six}`, kind: 'served' },
    ]);
    expect(await look(six, { at: { host: '::1', port: six } })).toMatchObject([{ kind: 'served' }]);
  });

  it('sends no server name for an IP address', async () => {
    const names: string[] = [];
    const port = await serve({
      ...contextOf(leafFor(['127.0.0.1']), [intermediate]),
      SNICallback: (name, done) => {
        names.push(name);
        done(null, undefined);
      },
    });
    expect(await look(port, { name: '127.0.0.1' })).toMatchObject([{ served: { names: ['127.0.0.1'] } }]);
    expect(names).toEqual([]);
  });

  it('follows the name of a tenant to no private address, and says so', async () => {
    const port = await serve(contextOf(leaf, [intermediate]));
    const at = { host: 'www.example.com', port };
    const there = proberAt(async () => ['127.0.0.1']);
    expect(await there.look({ at, name: 'www.example.com', isUntrusted: true }, never)).toEqual([
      {
        address: `www.example.com:${port}`,
        kind: 'unreachable',
        message: '127.0.0.1: a private or link-local address',
      },
    ]);
    expect(await proberAt().look({ at, name: 'www.example.com' }, never)).toMatchObject([
      { kind: 'unreachable', message: 'the name has no address' },
    ]);
  });

  it('ends when it is told to', async () => {
    const silent = await listening(
      createServer((socket) => socket.on('error', () => undefined).resume()),
      '127.0.0.1',
    );
    const stop = new AbortController();
    const looking = proberAt().look(
      { at: { host: '127.0.0.1', port: silent }, name: 'www.example.com' },
      stop.signal,
    );
    stop.abort(new Error('the agent stops'));
    await expect(looking).rejects.toThrow('the agent stops');
  });
});
