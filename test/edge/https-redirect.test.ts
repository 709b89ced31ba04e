import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createHttpsRedirect, type HttpsRedirectOptions } from '../../src/edge/https-redirect.ts';
import { bind } from '../../src/operations/bind.ts';
import { domainsAdd, domainsSet } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { bench, day, start as startAt, useBench } from '../operations/fixture.ts';
import { ask, connected, exchange, keyAuthorization, start, token } from './port80-kit.ts';

useBench();

const host = 'www.example.com';
const challenge = `/.well-known/acme-challenge/${token}`;

async function served(options: Partial<HttpsRedirectOptions> = {}) {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: [host] });
  const redirect = createHttpsRedirect({ httpsPort: 443, trustedProxies: [], ...options }, bench.needs);
  return start(undefined, undefined, redirect);
}

describe('what is no challenge on port 80', () => {
  it('C15 is sent to HTTPS by host, with path and query; challenges come first', async () => {
    const { port, tokens } = await served();
    const answer = await ask(port, '/shop/a%20b?c=d&e', { headers: { host } });
    expect(answer).toMatchObject({
      status: 308,
      headers: {
        location: `https://${host}/shop/a%20b?c=d&e`,
        connection: 'close',
        'cache-control': 'no-store',
      },
    });
    expect(await ask(port, challenge, { headers: { host } })).toMatchObject({
      status: 200,
      body: keyAuthorization,
    });
    expect(tokens.asked).toEqual([token]);
  });

  it.each([
    ['/.well-known/acme-challenge/unknown'],
    ['/.well-known/acme-challenge/'],
    ['/.well-known/acme-challenge'],
    ['/.well-known/acme-challenge/a/b'],
    ['/.WELL-KNOWN/acme-challenge/a'],
  ])('is not where challenges are looked for: %s is not found', async (path) => {
    const { port } = await served();
    expect(await ask(port, path, { headers: { host } })).toMatchObject({ status: 404 });
  });

  it.each(['301', '302', '307', '308'])('K5 D10 is answered as its domain says: %s', async (redirect) => {
    const { port } = await served();
    await bench.run(domainsSet, { name: 'example.com', redirect });
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'])
      expect(await ask(port, '/', { method, headers: { host } })).toMatchObject({
        status: Number(redirect),
        headers: { location: `https://${host}/` },
      });
  });

  it('K5 is answered with 426 that says to what, where its domain wants that', async () => {
    const { port } = await served();
    await bench.run(domainsSet, { name: 'example.com', redirect: '426' });
    const answer = await ask(port, '/', { headers: { host } });
    expect(answer).toMatchObject({
      status: 426,
      headers: { upgrade: 'TLS/1.2, HTTP/1.1', connection: 'Upgrade, close' },
      body: expect.stringContaining('HTTPS'),
    });
    expect(answer.headers.location).toBeUndefined();
  });

  it('D10 is not found where its domain wants no redirect, also by the defaults of the file', async () => {
    const { port } = await served();
    await bench.run(domainsSet, { name: 'example.com', redirect: 'off' });
    expect(await ask(port, '/', { headers: { host } })).toMatchObject({ status: 404 });
    bench.settings = { defaults: { ...bench.needs.settings().defaults, redirect: '301' } };
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['a.example.org'] });
    expect(await ask(port, '/', { headers: { host: 'a.example.org' } })).toMatchObject({ status: 301 });
  });

  it('goes to the port where clients reach HTTPS', async () => {
    const { port } = await served({ httpsPort: 8443 });
    const { headers } = await ask(port, '/x', { headers: { host: `${host}:8080` } });
    expect(headers.location).toBe(`https://${host}:8443/x`);
  });
});

describe('a name is ours', () => {
  it('as a host, under a wildcard that is held, or bound, until it is none of them any more', async () => {
    const { port } = await served();
    const status = async (name: string) => (await ask(port, '/', { headers: { host: name } })).status;
    await bench.run(domainsAdd, { name: 'wild.org', dnsAccount: 'route53', mode: 'wildcard' });
    expect(await status('any.wild.org')).toBe(404);
    await bench.hold('wild.org/*.wild.org/ec', startAt + 60 * day);
    await bench.run(bind, { name: 'bound.test', certificates: ['wild.org/*.wild.org/ec'], force: true });
    bench.now += 6_000;
    for (const name of [host, 'any.wild.org', 'wild.org', 'bound.test']) expect(await status(name)).toBe(308);
    for (const name of ['example.com', 'x.example.com', 'deep.any.wild.org', 'evil.test'])
      expect(await status(name)).toBe(404);
    await bench.run(hostsRemove, { names: [host] });
    bench.now += 6_000;
    expect(await status(host)).toBe(404);
  });

  it('where a client may ask for it on demand, so that one that comes by HTTP first comes by HTTPS next', async () => {
    const { port } = await served();
    const onDemand = { allow: ['*.shops.test'], asksPermission: false, perDomain: { count: 1, perMs: day } };
    bench.settings = { onDemand: { ...onDemand, mostWaiting: 1 } };
    const status = async (name: string) => (await ask(port, '/', { headers: { host: name } })).status;
    expect(await status('new.shops.test')).toBe(308);
    expect(await status('a.b.shops.test')).toBe(404);
    const refusal = { at: bench.now, until: bench.now + day, reason: 'permission', message: 'no' } as const;
    await bench.needs.hostAsks.refuse('no.shops.test', refusal);
    expect(await status('no.shops.test')).toBe(404);
  });
});

describe('nobody is sent', () => {
  it.each([
    ['a host that is not ours', 'evil.test'],
    ['a user', `${host}@evil.test`],
    ['a path', `${host}/@evil.test`],
    ['a query', `${host}?evil.test`],
    ['a backslash', `${host}\\evil.test`],
    ['encoding', 'www%2eexample.com'],
    ['a wildcard', '*.example.com'],
    ['another script', 'ｗｗｗ.example.com'],
    ['a name in brackets', `[${host}]`],
    ['a port that is none', `${host}:80:80`],
    ['a word for a port', `${host}:http`],
    ['two names', `${host}, evil.test`],
    ['a space', `${host} evil.test`],
    ['nothing', ''],
  ])('by %s as Host', async (_, written) => {
    const { port } = await served();
    const answer = await exchange(
      port,
      `GET / HTTP/1.1\r\nHost: ${Buffer.from(written).toString('latin1')}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 40[04]/);
    expect(answer.toLowerCase()).not.toContain('location');
  });

  it('by two Hosts, by none, or for no path', async () => {
    const { port } = await served();
    for (const request of [
      `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: evil.test\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nhost: ${host}\r\n\r\n`,
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.0\r\n\r\n',
      `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET https://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET ftp://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    ]) {
      const answer = await exchange(port, request);
      expect(answer).not.toContain('HTTP/1.1 3');
      expect(answer.toLowerCase()).not.toContain('location');
    }
  });
});

describe('the place that clients are sent to', () => {
  const locationOf = async (port: number, request: string) =>
    /^location: (.*)\r$/im.exec(await exchange(port, request))?.[1];

  it('is the host of the URL in the request line, which counts before Host', async () => {
    const { port } = await served();
    const asked = (url: string, other: string) => `GET ${url} HTTP/1.1\r\nHost: ${other}\r\n\r\n`;
    const at = `https://${host}`;
    expect(await locationOf(port, asked(`http://${host}/a?b`, 'evil.test'))).toBe(`${at}/a?b`);
    expect(await locationOf(port, asked(`HTTP://${host}:8080?b`, 'evil.test'))).toBe(`${at}/?b`);
    expect(await locationOf(port, asked(`http://${host}`, 'evil.test'))).toBe(`${at}/`);
    expect(await locationOf(port, asked('http://evil.test/', host))).toBeUndefined();
    expect(await locationOf(port, asked(`http://${host}@evil.test/`, host))).toBeUndefined();
  });

  it('is written in one form, whatever the client wrote', async () => {
    const { port } = await served();
    const asked = (written: string, path = '/') => `GET ${path} HTTP/1.1\r\nHost: ${written}\r\n\r\n`;
    expect(await locationOf(port, asked('WWW.Example.COM'))).toBe(`https://${host}/`);
    expect(await locationOf(port, asked(`${host}.:80`))).toBe(`https://${host}/`);
    expect(await locationOf(port, asked(host, '//evil.test/..'))).toBe(`https://${host}//evil.test/..`);
    expect(await locationOf(port, asked(host, '/%0d%0aset-cookie:a'))).toBe(
      `https://${host}/%0d%0aset-cookie:a`,
    );
  });

  it('has an IPv6 address in brackets', async () => {
    const { port } = await served();
    await bench.run(domainsAdd, { name: '2001:db8::7', hosts: ['2001:db8::7'] });
    await bench.run(domainsAdd, { name: '192.0.2.7', hosts: ['192.0.2.7'] });
    const asked = (written: string) => `GET / HTTP/1.1\r\nHost: ${written}\r\n\r\n`;
    expect(await locationOf(port, asked('[2001:DB8:0::7]:80'))).toBe('https://[2001:db8::7]/');
    expect(await locationOf(port, asked('192.0.2.7'))).toBe('https://192.0.2.7/');
    expect(await locationOf(port, asked('2001:db8::7'))).toBeUndefined();
    expect(await locationOf(port, asked('[192.0.2.7]'))).toBeUndefined();
  });

  it('is told to who still sends a body, and at once to who waits with it', async () => {
    const { port } = await served();
    const head = `POST /form HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 200000\r\n`;
    expect(await locationOf(port, `${head}\r\n${'x'.repeat(200_000)}`)).toBe(`https://${host}/form`);
    const waiting = await exchange(port, `${head}Expect: 100-continue\r\n\r\n`);
    expect(waiting).toMatch(/^HTTP\/1.1 308/);
    const socket = await connected(port);
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    socket.write(`${head}\r\n`);
    await once(socket, 'data');
    socket.write('x'.repeat(100_000));
    await new Promise(setImmediate);
    socket.end('x'.repeat(100_000));
    await once(socket, 'close');
    expect(errors).toEqual([]);
  });
});

describe('X-Forwarded-Proto', () => {
  const forwarded = (port: number, values: readonly string[], more = '') => {
    const lines = values.map((value) => `X-Forwarded-Proto: ${value}\r\n`).join('');
    return exchange(port, `GET / HTTP/1.1\r\nHost: ${host}\r\n${lines}${more}\r\n`);
  };

  it('K5 of a trusted peer ends the redirects: it came by HTTPS already', async () => {
    const { port } = await served({ trustedProxies: ['10.0.0.0/8', '127.0.0.0/8'] });
    for (const value of ['https', 'HTTPS', ' https '])
      expect(await forwarded(port, [value])).toMatch(/^HTTP\/1.1 404/);
    for (const value of ['http', 'httpss', '', 'wss'])
      expect(await forwarded(port, [value])).toMatch(/^HTTP\/1.1 308/);
  });

  it('K5 with several values, in one header or more, does not mean HTTPS', async () => {
    const { port } = await served({ trustedProxies: ['127.0.0.1'] });
    for (const values of [['https', 'https'], ['https, https'], ['https,http'], ['http', 'https']])
      expect(await forwarded(port, values)).toMatch(/^HTTP\/1.1 308/);
  });

  it('K5 of a stranger counts for nothing', async () => {
    for (const trustedProxies of [[], ['10.0.0.0/8', '::1', '126.0.0.0/8']]) {
      const { port } = await start(
        undefined,
        undefined,
        createHttpsRedirect({ httpsPort: 443, trustedProxies }, bench.needs),
      );
      if (trustedProxies.length === 0)
        await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts: [host] });
      expect(await forwarded(port, ['https'])).toMatch(/^HTTP\/1.1 308/);
    }
  });

  it('D10 brings Strict-Transport-Security to who came by HTTPS, and to nobody else', async () => {
    const hsts = { days: 365, includeSubDomains: true, preload: true };
    const { port } = await served({ trustedProxies: ['127.0.0.1'], hsts });
    const header = 'strict-transport-security: max-age=31536000; includeSubDomains; preload';
    expect((await forwarded(port, ['https'])).toLowerCase()).toContain(header.toLowerCase());
    expect((await forwarded(port, [])).toLowerCase()).not.toContain('strict-transport');
    expect(
      (
        await exchange(port, 'GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Proto: https\r\n\r\n')
      ).toLowerCase(),
    ).not.toContain('strict-transport');
  });
});
