import { createServer, type IncomingHttpHeaders } from 'node:http';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { secret } from '../../src/core/secret.ts';
import { createSession } from '../../src/plugin/session.ts';
import { createVendorApi, type VendorApiOptions } from '../../src/plugin/vendor-api.ts';
import { createPluginContext } from '../support/plugin-context.ts';

const signal = new AbortController().signal;
const request = { doing: 'to list zones', path: '/zones' };

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('the API of a vendor', () => {
  it.each([
    [401, 'provider.auth', 'blocked'],
    [403, 'provider.forbidden', 'blocked'],
    [404, 'provider.invalid', 'blocked'],
    [409, 'provider.conflict', 'soon'],
    [412, 'provider.conflict', 'soon'],
    [422, 'provider.invalid', 'blocked'],
    [429, 'provider.throttled', 'later'],
    [302, 'provider.unavailable', 'later'],
    [500, 'provider.unavailable', 'soon'],
    [503, 'provider.unavailable', 'soon'],
  ])('tells the status %i as %s', async (status, code, retry) => {
    const { api } = await start(() => ({ status, text: '{"message":"the vendor’s words"}' }));
    await expect(api.send(request, signal)).rejects.toMatchObject({
      code,
      retry,
      message: expect.stringMatching(
        new RegExp(`^Vendor (refuses|fails) to list zones \\(${status}: the vendor’s words\\)`),
      ),
    });
  });

  it('tells 404 as a missing zone where the request is about one', async () => {
    const { api } = await start(() => ({ status: 404 }));
    await expect(api.send({ ...request, zone: 'example.test' }, signal)).rejects.toMatchObject({
      code: 'dns.zoneNotFound',
      message: 'Vendor has no zone example.test for these credentials (404)',
    });
  });

  it.each([
    [503, { 'retry-after': '120' }, 120_000],
    [503, { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' }, 120_000],
    [503, { 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [503, { 'retry-after': 'soon' }, undefined],
    [429, { 'x-reset': '1767225720' }, 120_000],
    [429, { 'x-reset': '1767225720', 'retry-after': '29' }, 29_000],
    [429, { 'x-reset': '1767225000' }, 0],
    [429, { 'x-reset': 'in an hour' }, undefined],
  ])('knows when to come back from %i with %o', async (status, headers, ms) => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const { api } = await start(() => ({ status, headers }), { resetHeader: 'x-reset' }, now);
    const error = await api.send(request, signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'provider.throttled' });
    expect(error).toHaveProperty('retryAt', ms === undefined ? undefined : now + ms);
  });

  it('repeats nothing secret of what the vendor says, whole, encoded or part of a header', async () => {
    const token = 'canary-token+/=';
    const { api } = await start(
      ({ headers, url }) => ({
        status: 400,
        text: `you sent ${headers.authorization} and ${url} and ${Buffer.from(token).toString('base64')} and short-lived-7`,
      }),
      {
        auth: () => ({ authorization: `Key ${token}:short-lived-7` }),
        secrets: [secret(token)],
      },
    );
    const error = await api.send({ ...request, query: { key: token } }, signal).catch((e: unknown) => e);
    expect(inspect(error, { depth: 9 })).toContain('you sent');
    for (const form of ['canary', 'short-lived-7', encodeURIComponent(token)])
      expect(inspect(error, { depth: 9 })).not.toContain(form);
  });

  it('cuts long words, keeps them in one line, and shows no web page', async () => {
    const replies = ['x\n\u001b[31m'.repeat(500), '<html><h1>Bad Gateway</h1>'].map((text) => ({
      status: 400,
      text,
    }));
    const { api } = await start(() => replies.shift() ?? {});
    const message = async () =>
      api.send(request, signal).then(
        () => '',
        (error: Error) => error.message,
      );
    const long = await message();
    expect(long.length).toBeLessThan(400);
    expect(long).not.toMatch(/\p{C}/u);
    expect(await message()).toBe('Vendor refuses to list zones (400)');
  });

  it('finds what vendors say wherever they say it', async () => {
    const bodies = [
      { errors: [{ code: 7, message: 'one' }, { message: 'two' }] },
      { error: { code: 'x', message: 'deep' } },
      { errors: { name: ['not a field of words'], base: [] }, message: 'plain' },
      [{}, { non_field_errors: ['in a list'] }],
    ];
    const words = ['one; two', 'deep', 'plain', 'in a list'];
    for (const [index, body] of bodies.entries()) {
      const { api } = await start(() => ({ status: 400, text: JSON.stringify(body) }));
      await expect(api.send(request, signal)).rejects.toThrow(`(400: ${words[index]})`);
    }
  });

  it('takes a refusal in an answer of success for what it is', async () => {
    const { api } = await start(() => ({ text: '{"status":"ERROR","message":"Invalid API key"}' }), {
      fault: ({ body }) =>
        z.object({ status: z.literal('ERROR') }).safeParse(body).success
          ? { code: 'provider.auth' }
          : undefined,
    });
    await expect(api.send(request, signal)).rejects.toMatchObject({ code: 'provider.auth' });
  });

  it('tries again soon where the vendor owns up to a fault of its own in an answer of success', async () => {
    const fault = () => ({ code: 'provider.unavailable' as const, words: 'internal error' });
    const { api } = await start(() => ({ text: '{}' }), { fault });
    await expect(api.send(request, signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
      retry: 'soon',
    });
  });

  it('sends query, JSON and forms, and signs what it sends', async () => {
    const seen: Seen[] = [];
    const { api, url } = await start(
      (one) => {
        seen.push(one);
        return { text: '[]' };
      },
      {
        auth: ({ method, url: signed, body }) => ({
          'x-signature': `${method} ${signed.pathname}${signed.search} ${body}`,
        }),
      },
    );
    await api.send({ ...request, query: { name: 'a b', page: 2, none: undefined } }, signal);
    await api.send({ ...request, json: { a: 1 } }, signal);
    await api.send({ ...request, method: 'PUT', form: { a: 'x y' } }, signal);
    expect(seen.map(({ method, url: path, body }) => `${method} ${path} ${body}`)).toEqual([
      'GET /zones?name=a+b&page=2 ',
      'POST /zones {"a":1}',
      'PUT /zones a=x+y',
    ]);
    expect(seen.map(({ headers }) => headers['x-signature'])).toEqual([
      'GET /zones?name=a+b&page=2 undefined',
      'POST /zones {"a":1}',
      'PUT /zones a=x+y',
    ]);
    expect(url).toMatch(/^http:/);
  });

  it('follows a page of its own origin only, and sends nothing elsewhere', async () => {
    const elsewhere = await start(() => ({ text: '[]' }));
    const { api, url, seen } = await start(() => ({ text: '[]' }));
    await api.send({ ...request, path: `${url}/zones?page=2` }, signal);
    await expect(api.send({ ...request, path: `${elsewhere.url}/zones` }, signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
    });
    expect(seen()).toBe(1);
    expect(elsewhere.seen()).toBe(0);
  });

  it('says that an answer is not what was expected, and where', async () => {
    const { api } = await start(() => ({ text: '{"zones":[{"id":7}]}' }));
    const form = z.object({ zones: z.array(z.object({ id: z.string() })) });
    await expect(api.read(form, request, signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
      message: /answers 200 in a form that is not understood at zones\.0\.id/,
    });
  });

  it('says that the vendor cannot be reached, to be tried again soon', async () => {
    const api = createVendorApi(
      { vendor: 'Vendor', baseUrl: 'http://127.0.0.1:1' },
      createPluginContext('x'),
    );
    await expect(api.send(request, signal)).rejects.toMatchObject({
      code: 'provider.unavailable',
      retry: 'soon',
      message: /^Vendor cannot be asked to list zones: http:\/\/127\.0\.0\.1:1 is not reached/,
    });
  });
});

describe('a session with a vendor', () => {
  it('is opened once for all, anew when it ends, and once more when the vendor takes it no more', async () => {
    let now = 0;
    let opened = 0;
    const taken = new Set(['t1', 't2', 't3']);
    const session = createSession(async () => ({ value: `t${++opened}`, goodUntil: now + 1000 }), {
      now: () => now,
    });
    const { api } = await start(
      ({ headers }) => ({ status: taken.has(String(headers.authorization)) ? 200 : 401 }),
      { session, auth: async (_, one) => ({ authorization: await session.get(one) }) },
      () => now,
    );
    await Promise.all([1, 2, 3].map(() => api.send(request, signal)));
    expect(opened).toBe(1);
    now = 1000;
    await api.send(request, signal);
    expect(opened).toBe(2);
    now = 1500;
    taken.delete('t2');
    await Promise.all([1, 2, 3].map(() => api.send(request, signal)));
    expect(opened).toBe(3);
    now = 1600;
    taken.clear();
    await expect(api.send(request, signal)).rejects.toMatchObject({ code: 'provider.auth' });
    expect(opened).toBe(4);
  });

  it('is opened once more also within the millisecond in which it was opened', async () => {
    const taken = new Set(['t1', 't2']);
    let opened = 0;
    const session = createSession(async () => ({ value: `t${++opened}`, goodUntil: 1000 }), { now: () => 0 });
    const { api } = await start(
      ({ headers }) => ({ status: taken.has(String(headers.authorization)) ? 200 : 401 }),
      { session, auth: async (_, one) => ({ authorization: await session.get(one) }) },
      0,
    );
    await api.send(request, signal);
    taken.delete('t1');
    await Promise.all([1, 2, 3].map(() => api.send(request, signal)));
    expect(opened).toBe(2);
  });

  it('goes on for the others when the one who began to open it gives up', async () => {
    const abort = new AbortController();
    let opened = 0;
    const session = createSession(
      (one) =>
        new Promise<{ value: number; goodUntil: number }>((resolve, reject) => {
          opened++;
          if (opened > 1) resolve({ value: opened, goodUntil: 10 });
          one.addEventListener('abort', () => reject(one.reason));
        }),
      { now: () => 0 },
    );
    const first = session.get(abort.signal).catch((error: unknown) => error);
    const second = session.get(signal);
    abort.abort('enough');
    expect(await first).toBe('enough');
    expect(await second).toBe(2);
  });
});

async function start(
  answer: (seen: Seen) => Reply,
  options: Partial<VendorApiOptions> = {},
  now?: number | (() => number),
) {
  let count = 0;
  const server = createServer(async (message, response) => {
    count++;
    let body = '';
    for await (const chunk of message) body += chunk;
    const { url = '', method = '', headers: sent } = message;
    const { status = 200, headers = {}, text = '' } = answer({ url, method, headers: sent, body });
    response.writeHead(status, headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { http, clock } = createPluginContext('vendor');
  const time = now === undefined ? clock.now : typeof now === 'number' ? () => now : now;
  const api = createVendorApi(
    { vendor: 'Vendor', baseUrl: url, ...options },
    { http, clock: { ...clock, now: time } },
  );
  return { api, url, seen: () => count };
}
