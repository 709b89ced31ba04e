import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { Notifier } from '../../src/core/ports.ts';
import { webhook } from '../../src/notify/webhook.ts';
import { canary } from '../support/canaries.ts';
import { createAuthority } from '../support/tls.ts';
import { contextAtNow, notice, now } from './notices.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const never = new AbortController().signal;

test('the notices arrive as JSON with a signature that the receiver can check', async () => {
  const [key, token] = [canary(), canary()];
  const receiver = await receive(204);
  const notifier = await create({ url: receiver.url, secret: key, headers: { 'X-Token': token } });
  const notices = [notice({}), notice({ id: '2-0', kind: 'recovered' })];
  await notifier.send(notices, undefined, never);
  const [got] = receiver.requests;
  expect(JSON.parse(got?.body ?? '')).toEqual({ version: 1, notices });
  expect(got?.headers).toMatchObject({ 'content-type': 'application/json', 'x-token': token });
  const seconds = Math.floor(now / 1000);
  const expected = createHmac('sha256', key).update(`${seconds}.${got?.body}`).digest('hex');
  expect(got?.headers['acme-agent-signature']).toBe(`t=${seconds},v1=${expected}`);
});

test('it is for programs: nothing is held back for a digest', async () => {
  const notifier = await create({ url: `http://127.0.0.1:9/${canary()}`, secret: canary() });
  expect([notifier.name, notifier.digest]).toEqual(['ops', false]);
});

test.each([
  [500, 'notify.failed'],
  [503, 'notify.failed'],
  [429, 'notify.failed'],
  [408, 'notify.failed'],
  [401, 'notify.rejected'],
  [404, 'notify.rejected'],
  [410, 'notify.rejected'],
  [302, 'notify.rejected'],
])('an answer %i is %s', async (status, code) => {
  const receiver = await receive(status);
  const notifier = await create({ url: receiver.url, secret: canary() });
  await expect(notifier.send([notice({})], undefined, never)).rejects.toMatchObject({ code });
  expect(receiver.requests).toHaveLength(1);
});

test('the receiver can say when to come back', async () => {
  const receiver = await receive(503, { 'retry-after': '120' });
  const notifier = await create({ url: receiver.url, secret: canary() });
  await expect(notifier.send([notice({})], undefined, never)).rejects.toMatchObject({
    retryAt: now + 120_000,
  });
});

test('a receiver that is not there is a failure that shows neither URL nor secret', async () => {
  const receiver = await receive(200);
  closing.pop()?.();
  const notifier = await create({ url: receiver.url, secret: canary() });
  const error = await notifier.send([notice({})], undefined, never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'notify.failed',
    message: 'the receiver of the webhook ops is not reached',
  });
  expect(inspect(error, { depth: 9 })).not.toContain('canary-');
});

test('a check reaches the server without a notice, a secret or the path', async () => {
  const receiver = await receive(404);
  const notifier = await create({
    url: receiver.url,
    secret: canary(),
    headers: { authorization: canary() },
  });
  await notifier.check?.(never);
  expect(receiver.requests).toMatchObject([{ method: 'HEAD', url: '/', body: '' }]);
  expect(inspect(receiver.requests, { depth: 9 })).not.toContain('canary-');
});

test('a check names the server that it does not reach, and why', async () => {
  const receiver = await receive(200);
  closing.pop()?.();
  const notifier = await create({ url: receiver.url, secret: canary() });
  const error = await notifier.check?.(never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'notify.failed',
    message: expect.stringMatching(/^the receiver of the webhook ops is not reached: .*ECONNREFUSED/),
  });
  expect(inspect(error, { depth: 9 })).not.toContain('canary-');
});

test('a check does not trust a certificate of nobody known', async () => {
  const { certificatePem: cert, privateKeyPem: key } = createAuthority().issue(['127.0.0.1']);
  const server = createSecureServer({ cert, key }, (_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const notifier = await create({ url: `https://127.0.0.1:${port}/${canary()}`, secret: canary() });
  await expect(notifier.check?.(never)).rejects.toMatchObject({ code: 'notify.failed' });
});

test('options must name a web address and a secret', () => {
  expect(webhook.options.safeParse({ url: 'ftp://x', secret: canary() }).success).toBe(false);
  expect(webhook.options.safeParse({ url: `https://x.example/${canary()}` }).success).toBe(false);
  expect(JSON.stringify(webhook.options.parse({ url: 'https://x/canary', secret: 'canary' }))).not.toContain(
    'canary',
  );
});

async function create(options: object): Promise<Notifier> {
  return webhook.create(webhook.options.parse(options), contextAtNow());
}

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function receive(status: number, headers: Record<string, string> = {}) {
  const requests: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method, url, headers: sent } = request;
    requests.push({ method, url, headers: sent, body });
    response.writeHead(status, { location: '/elsewhere', ...headers }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { requests, url: `http://127.0.0.1:${port}/hooks/${canary()}` };
}
