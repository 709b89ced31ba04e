import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { describe, expect, test } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Validator } from '../../src/core/http.ts';
import { startBind } from '../support/bind.ts';
import { createAuthority } from '../support/tls.ts';
import {
  closing,
  dns,
  keyAuthorization,
  listen,
  look,
  path,
  reach,
  redirectTo,
  right,
  serve,
  useLooks,
  wrong,
} from './looks.ts';

useLooks();

const isOurs = [['fine', 'challenge.connection', expect.stringContaining('is answered by this agent at')]];

describe('the answer of a host', () => {
  test('is fine when it is ours', async () => {
    const httpPort = await serve(right);
    expect(await reach('www.ours.test', { httpPort })).toEqual([
      ['fine', 'challenge.connection', expect.stringContaining('is answered by this agent at 127.0.0.1')],
    ]);
  });

  test('stops an order when it is another', async () => {
    const httpPort = await serve(wrong);
    const [[level, code, message] = []] = await reach('www.other.test', { httpPort });
    expect([level, code]).toEqual(['stop', 'challenge.unauthorized']);
    expect(message).toBe(
      `http://www.other.test:${httpPort}/.well-known/acme-challenge/ is not answered by this agent: 127.0.0.1: it answered with status 404. Point www.other.test at the agent, or pass /.well-known/acme-challenge/ on to it.`,
    );
  });

  test('is never shown', async () => {
    const httpPort = await serve((_, response) => response.end('CANARY <script>'));
    const [[level, , message] = []] = await reach('www.other.test', { httpPort });
    expect(level).toBe('stop');
    expect(message).not.toContain('CANARY');
  });

  test.each([401, 403, 429, 500, 503])('with status %i may be another for a CA', async (status) => {
    const httpPort = await serve((_, response) => response.writeHead(status).end());
    expect(await reach('www.guarded.test', { httpPort })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining(`with status ${status}`)],
    ]);
  });

  test('that is too long is another', async () => {
    const httpPort = await serve((_, response) => response.end(Buffer.alloc(100_000, 'x')));
    expect(await reach('www.long.test', { httpPort })).toMatchObject([
      ['stop', 'challenge.unauthorized', expect.stringContaining('more than 4096 bytes')],
    ]);
  });

  test('that does not end is none', { timeout: 20_000 }, async () => {
    const httpPort = await serve((_, response) => void response.writeHead(200).write(keyAuthorization));
    expect(await reach('www.slow.test', { httpPort })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('did not answer within 4 s')],
    ]);
  });

  test('that never comes only warns', async () => {
    expect(await reach('www.closed.test', { httpPort: 1 })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('ECONNREFUSED')],
    ]);
  });
});

describe('a redirect', () => {
  test('is followed to https, whatever certificate is there', async () => {
    const { certificatePem: cert, privateKeyPem: key } = createAuthority().issue(['elsewhere.test']);
    const tls = createTlsServer({ cert, key }, right);
    const httpsPort = await listen(tls as unknown as Server);
    const httpPort = await serve(redirectTo(`https://www.moved.test:${httpsPort}${path}`));
    expect(await reach('www.moved.test', { httpPort, httpsPort })).toEqual(isOurs);
  });

  test('to another host is followed to where that host is', async () => {
    await dns.addA('main.away.test', ['127.0.0.3']);
    const httpPort = await serve(right, { address: '127.0.0.3' });
    await serve(redirectTo(`http://main.away.test:${httpPort}${path}`), { port: httpPort });
    expect(await reach('www.away.test', { httpPort })).toEqual(isOurs);
  });

  test.each<readonly [string, string, string]>([
    ['without end', path, 'redirects more than 10 times'],
    ['to a port that no CA goes to', 'http://www.loop.test:8080/', 'a port that no CA goes to'],
    ['to what is no URL', 'http://', 'not a URL'],
  ])('%s stops an order', async (_, location, words) => {
    const httpPort = await serve(redirectTo(location));
    expect(await reach('www.loop.test', { httpPort })).toMatchObject([
      ['stop', 'challenge.unauthorized', expect.stringContaining(words)],
    ]);
  });

  test('to an address only warns, though this agent answers there: some CAs go to names alone', async () => {
    const port = await serve(right, { address: '127.0.0.4' });
    await serve(redirectTo(`http://127.0.0.4:${port}${path}`), { port });
    expect(await reach('www.numbered.test', { httpPort: port })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('some CAs follow redirects to names only')],
    ]);
  });

  test('of an address to itself is followed', async () => {
    const { certificatePem: cert, privateKeyPem: key } = createAuthority().issue(['elsewhere.test']);
    const httpsPort = await listen(createTlsServer({ cert, key }, right) as unknown as Server);
    const httpPort = await serve(redirectTo(`https://127.0.0.1:${httpsPort}${path}`));
    expect(await reach('127.0.0.1', { httpPort, httpsPort })).toEqual(isOurs);
  });

  test('to a private address is not followed', async () => {
    const httpPort = await serve(redirectTo('http://10.11.12.13/'));
    expect(await reach('www.inside.test', { httpPort })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('private or link-local')],
    ]);
  });
});

describe('addresses', () => {
  test('of which one answers wrongly: the record to remove is named, and the order is made', async () => {
    await dns.addA('www.mixed.test', ['127.0.0.1', '127.0.0.2']);
    const httpPort = await serve(right);
    await serve(wrong, { address: '127.0.0.2', port: httpPort });
    expect(await reach('www.mixed.test', { httpPort })).toMatchObject([
      [
        'warning',
        'challenge.unauthorized',
        expect.stringContaining('remove: www.mixed.test. IN A 127.0.0.2'),
      ],
    ]);
  });

  test('of which one does not answer: the record to remove is named', async () => {
    await dns.addA('www.half.test', ['127.0.0.1', '127.0.0.2']);
    const httpPort = await serve(right);
    expect(await reach('www.half.test', { httpPort })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('remove: www.half.test. IN A 127.0.0.2')],
    ]);
  });

  const onlyIpv4 = (code: string): Validator => ({
    requestAsValidator: async (url, { resolve }) => {
      const { hostname, origin } = new URL(url);
      const [address = ''] = await resolve(hostname);
      const cause = Object.assign(new Error(code), { code });
      if (address.includes(':'))
        throw new AgentError('net.failed', `${origin} is not reached: ${code}`, { cause });
      const text = () => keyAuthorization;
      return { status: 200, headers: {}, body: Buffer.from(text()), text, json: () => undefined };
    },
  });

  test('of IPv6 that do not answer while those of IPv4 do: the stale AAAA record is named', async () => {
    await dns.post('add-aaaa', { host: 'www.stale.test.', addresses: ['2600::1'] });
    expect(await reach('www.stale.test', { httpPort: 80, http: onlyIpv4('ETIMEDOUT') })).toEqual([
      [
        'warning',
        'challenge.connection',
        expect.stringMatching(
          /many CAs try IPv6 first: .*ETIMEDOUT.*remove: www\.stale\.test\. IN AAAA 2600::1$/,
        ),
      ],
    ]);
  });

  test('of IPv6 say nothing where this machine has no IPv6 (issue: self-check without IPv6)', async () => {
    await dns.post('add-aaaa', { host: 'www.stale.test.', addresses: ['2600::1'] });
    const found = await reach('www.stale.test', { httpPort: 80, http: onlyIpv4('ENETUNREACH') });
    expect(found).toEqual(isOurs);
  });

  test('of which some were not asked stop nothing: a CA may choose one of those', async () => {
    const others: Validator = {
      requestAsValidator: async () => ({
        ...{ status: 404, headers: {}, body: Buffer.alloc(0) },
        ...{ text: () => '', json: () => undefined },
      }),
    };
    await dns.addA('www.public.test', ['1.2.3.4', '1.2.3.5']);
    expect(await reach('www.public.test', { http: others })).toMatchObject([
      ['stop', 'challenge.unauthorized', expect.stringContaining('1.2.3.4')],
    ]);
    await dns.addA('www.hidden.test', ['1.2.3.4', '10.1.2.3']);
    const hidden = await reach('www.hidden.test', { http: others });
    expect(hidden.map(([level]) => level)).toEqual(['warning', 'warning']);
    await dns.addA('www.many.test', ['1.2.3.4', '1.2.3.5', '1.2.3.6', '1.2.3.7']);
    const many = await reach('www.many.test', { http: others });
    expect(many.map(([level]) => level)).toEqual(['warning']);
  });

  test('that are private are named, and not connected to for a public CA', async () => {
    await dns.addA('www.private.test', ['10.1.2.3']);
    expect(await reach('www.private.test')).toEqual([
      ['warning', 'challenge.connection', expect.stringContaining('www.private.test. IN A 10.1.2.3')],
    ]);
  });

  test('that may not be connected to from here only warn', async () => {
    const httpPort = await serve(wrong);
    expect(await reach('www.fenced.test', { httpPort, allowPrivate: [] })).toMatchObject([
      ['warning', 'challenge.connection', expect.stringContaining('private or link-local')],
    ]);
  });

  test('that do not exist only warn', async () => {
    const bind = await startBind({ zones: ['none.test'], records: ['txt.none.test. 60 IN TXT "x"'] });
    closing.push(() => bind.stop());
    const wanted = { server: bind.address };
    expect(await reach('txt.none.test', wanted)).toEqual([
      ['warning', 'challenge.dns', expect.stringContaining('txt.none.test has no address in the DNS')],
    ]);
    expect(await reach('www.none.test', wanted)).toEqual([
      ['warning', 'challenge.dns', expect.stringContaining('The DNS knows no www.none.test')],
    ]);
  });

  test('that cannot be looked up only warn, once for each kind', async () => {
    await dns.setServfail('www.dead.test');
    const found = await look('www.dead.test');
    expect(found.map(({ level, code }) => [level, code])).toEqual([
      ['warning', 'challenge.caa'],
      ['warning', 'challenge.dns'],
      ['warning', 'challenge.dns'],
    ]);
    for (const { message } of found) {
      expect(message).toMatch(
        /cannot find it out \(SERVFAIL\)\. The resolver gets no sound answer from the nameservers/,
      );
      expect(message).toMatch(/A CA .*cannot look/);
    }
  });

  test('are not looked at for dns-01', async () => {
    expect(await reach('www.any.test', { challenge: 'dns-01' })).toEqual([]);
  });

  test('an IP address is its own, and has no CAA records', async () => {
    const httpPort = await serve(right);
    expect(await look('127.0.0.1', { httpPort })).toMatchObject([{ level: 'fine', name: '127.0.0.1' }]);
  });
});
