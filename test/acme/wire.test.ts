import { describe, expect, test, vi } from 'vitest';
import { page, problem, reset, silence } from './fake-ca.ts';
import { layer, never } from './kit.ts';
import { ca, names, opened, postsTo, session, useFakeCa } from './with-fake-ca.ts';

const dayMs = 86_400_000;

useFakeCa();

describe('on the wire', () => {
  test('one nonce serves one request, connections are kept, and the agent says who it is', async () => {
    for (let count = 0; count < 30; count++) await session.newOrder({ names }, never);
    expect(ca.wrongNonces).toEqual([]);
    expect(ca.connections()).toBeLessThanOrEqual(2);
    expect(postsTo('/nonce')).toHaveLength(1);
    expect(new Set(ca.requests.map(({ headers }) => headers['user-agent']))).toEqual(
      new Set(['acme-agent/1.2.3 acme-client/5.4.0']),
    );
  });

  test('a rejected nonce is followed by the nonce of that answer under a new signature', async () => {
    ca.fail('/new-order', ...Array.from({ length: 19 }, () => problem(400, 'badNonce')));
    await session.newOrder({ names }, never);
    const nonces = postsTo('/new-order').map((request) => request.protected.nonce);
    expect(new Set(nonces).size).toBe(20);
    expect(ca.wrongNonces).toEqual([]);
    expect(postsTo('/nonce')).toHaveLength(1);
    expect(opened.clock.pauses).toEqual([]);
  });

  test('a nonce in other characters than base64url has is ignored', async () => {
    ca.fail('/order/1', (response) => {
      const headers = { 'content-type': 'application/json', 'replay-nonce': 'not a nonce' };
      response.writeHead(200, headers).end(JSON.stringify(ca.documents['/order/1']));
    });
    await session.order(`${ca.url}/order/1`, never);
    await session.order(`${ca.url}/order/1`, never);
    expect(ca.wrongNonces).toEqual([]);
    expect(postsTo('/nonce')).toHaveLength(2);
  });

  test('a CA that rejects every nonce is not asked for ever', async () => {
    ca.fail('/new-order', ...Array.from({ length: 40 }, () => problem(400, 'badNonce')));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({ code: 'acme.badNonce' });
    expect(postsTo('/new-order')).toHaveLength(21);
  });

  test('nonces are dropped after five minutes', async () => {
    await session.newOrder({ names }, never);
    await opened.clock.sleep(5 * 60_000 + 1);
    await session.newOrder({ names }, never);
    expect(postsTo('/nonce')).toHaveLength(2);
  });

  test('a broken connection is tried again, never with the same nonce', async () => {
    ca.fail('/order/1', reset, reset);
    await session.order(`${ca.url}/order/1`, never);
    expect(opened.clock.pauses).toEqual([1000, 2000]);
    const nonces = postsTo('/order/1').map((request) => request.protected.nonce);
    expect(new Set(nonces).size).toBe(3);
  });

  test('a CA that stays away is an error of the network before 10 s are over', async () => {
    ca.fail('/order/1', ...Array.from({ length: 10 }, () => reset));
    await expect(session.order(`${ca.url}/order/1`, never)).rejects.toMatchObject({
      code: 'acme.network',
      message: expect.stringContaining('127.0.0.1'),
    });
    expect(opened.clock.pauses.slice(0, 3)).toEqual([1000, 2000, 4000]);
    // Two seconds are left for the last try.
    expect(opened.clock.pauses.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(8000);
  });

  test('a new order whose answer was lost is tried again once: each may be there at the CA', async () => {
    ca.fail('/new-order', reset);
    await session.newOrder({ names }, never);
    ca.fail('/new-order', ...Array.from({ length: 5 }, () => reset));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({ code: 'acme.network' });
    expect(postsTo('/new-order')).toHaveLength(4);
    expect(opened.clock.pauses).toEqual([1000, 1000]);
  });

  test('a new order is sent again though the CA may have made it only where that is allowed', async () => {
    const sent = (allowed: boolean) => {
      const asked = vi.fn(async () => allowed);
      const answer = session.newOrder({ names, mayRepeat: asked }, never).catch(({ code }) => code);
      return answer.then((end) => [asked.mock.calls.length, typeof end === 'string' ? end : 'made']);
    };
    for (const fault of [reset, problem(500, 'serverInternal')]) {
      ca.fail('/new-order', fault);
      expect(await sent(true)).toEqual([1, 'made']);
    }
    ca.fail('/new-order', reset);
    expect(await sent(false)).toEqual([1, 'acme.network']);
    ca.fail('/new-order', problem(500, 'serverInternal'));
    expect(await sent(false)).toEqual([1, 'acme.server']);
    expect(postsTo('/new-order')).toHaveLength(6);
  });

  test('a new order whose answer is broken is looked up', async () => {
    ca.fail('/new-order', (response) =>
      response
        .writeHead(201, { location: `${ca.url}/order/1`, 'content-type': 'application/json' })
        .end('{"st'),
    );
    expect(await session.newOrder({ names }, never)).toMatchObject({ status: 'pending' });
    expect(postsTo('/new-order')).toHaveLength(1);
  });

  test('a CA that is silent for long is not tried again in the same job', async () => {
    const now = opened.clock.now;
    let exchanges = 0;
    opened.clock.now = () => now() + 25_000 * exchanges;
    ca.fail('/order/1', (response) => {
      exchanges++;
      response.socket?.destroy();
    });
    await expect(session.order(`${ca.url}/order/1`, never)).rejects.toMatchObject({ code: 'acme.network' });
    expect(postsTo('/order/1')).toHaveLength(1);
  });

  test('an abort reaches the socket at once', async () => {
    const abort = new AbortController();
    const closed = new Promise<void>((resolve) => {
      ca.fail('/new-order', (response) => response.on('close', resolve));
    });
    const order = session.newOrder({ names }, abort.signal);
    order.catch(() => {});
    await expect.poll(() => postsTo('/new-order')).toHaveLength(1);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(order).rejects.toBe(reason);
    await closed;
  });

  test('a body that never ends is aborted too', async () => {
    const abort = new AbortController();
    ca.fail('/order/1', (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).write('{'),
    );
    const order = session.order(`${ca.url}/order/1`, abort.signal);
    order.catch(() => {});
    await expect.poll(() => postsTo('/order/1')).toHaveLength(1);
    abort.abort(new Error('enough'));
    await expect(order).rejects.toThrow('enough');
  });

  test('closing stops what is under way', async () => {
    ca.fail('/order/1', silence);
    const order = session.order(`${ca.url}/order/1`, AbortSignal.timeout(20_000));
    order.catch(() => {});
    await expect.poll(() => postsTo('/order/1')).toHaveLength(1);
    await opened.acme.close();
    await expect(order).rejects.toMatchObject({ code: 'acme.network' });
    expect(opened.clock.pauses).toEqual([]);
  });

  test('a redirect is refused', async () => {
    ca.fail('/new-order', page(307, '', { location: 'https://elsewhere.example/' }));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({
      code: 'acme.response',
      message: expect.stringContaining('redirects to https://elsewhere.example/'),
    });
    expect(postsTo('/new-order')).toHaveLength(1);
  });

  test('an answer above 1 MB is refused', async () => {
    ca.fail('/order/1', page(200, 'x'.repeat(1_100_000)));
    await expect(session.order(`${ca.url}/order/1`, never)).rejects.toMatchObject({
      code: 'acme.response',
      message: expect.stringContaining('larger than 1 MB'),
    });
  });

  test('only the trust anchors of the issuer count', async () => {
    const strict = layer({ directoryUrl: ca.directoryUrl });
    await expect(strict.acme.session('ca', never)).rejects.toMatchObject({ code: 'acme.network' });
    await strict.acme.close();
  });
});

describe('when the CA says later', () => {
  test('a short Retry-After is waited for, and counts in all', async () => {
    ca.fail(
      '/new-order',
      problem(503, 'rateLimited', {}, { 'retry-after': '3' }),
      problem(429, 'rateLimited', {}, { 'retry-after': '4' }),
      problem(429, 'rateLimited', {}, { 'retry-after': '5' }),
    );
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(error.code).toBe('acme.rateLimited');
    expect(Math.round((error.retryAt - opened.clock.now()) / 1000)).toBe(5);
    expect(opened.clock.pauses).toEqual([3000, 4000]);
  });

  test.each([
    ['seconds', () => '120'],
    ['a date', () => new Date(Math.ceil(opened.clock.now() / 1000) * 1000 + 120_000).toUTCString()],
  ])('a long Retry-After in %s is handed on', async (_form, value) => {
    ca.fail('/new-order', problem(429, 'rateLimited', {}, { 'retry-after': value() }));
    const before = opened.clock.now();
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'acme.rateLimited', retry: 'later' });
    expect(error.retryAt).toBeGreaterThanOrEqual(before + 119_000);
    expect(error.retryAt).toBeLessThanOrEqual(opened.clock.now() + 121_000);
    expect(opened.clock.pauses).toEqual([]);
  });

  test.each(['0', '00', new Date(0).toUTCString()])(
    'a Retry-After of %s is no leave to hurry',
    async (value) => {
      ca.fail(
        '/new-order',
        problem(429, 'rateLimited', {}, { 'retry-after': value }),
        problem(503, 'serverInternal', {}, { 'retry-after': value }),
      );
      await session.newOrder({ names }, never);
      expect(opened.clock.pauses).toEqual([1000, 2000]);
    },
  );

  test('a Retry-After as a date is read by the clock of the CA', async () => {
    const theirs = opened.clock.now() - 3_600_000;
    const headers = {
      date: new Date(theirs).toUTCString(),
      'retry-after': new Date(theirs + 120_000).toUTCString(),
    };
    ca.fail('/new-order', problem(429, 'rateLimited', {}, headers));
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(Math.round((error.retryAt - opened.clock.now()) / 10_000)).toBe(12);
  });

  test.each(['soon', '-5', '1.5', '1e9', ''])('a Retry-After of %j counts as none', async (value) => {
    ca.fail('/new-order', problem(429, 'rateLimited', {}, { 'retry-after': value }));
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'acme.rateLimited', retryAt: undefined });
  });

  test('an absurd Retry-After is at most 7 days', async () => {
    ca.fail('/new-order', problem(429, 'rateLimited', {}, { 'retry-after': '99999999999' }));
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(Math.round((error.retryAt - opened.clock.now()) / dayMs)).toBe(7);
  });

  test('a limit without a date but with an address is a paused name', async () => {
    const detail = 'paused; see https://ca.example/unpause?x=1';
    ca.fail('/new-order', problem(429, 'rateLimited', { detail }));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({
      code: 'acme.paused',
      retry: 'blocked',
      message: expect.stringContaining('https://ca.example/unpause?x=1'),
    });
  });

  test.each([
    ['the address of another page', 429, 'too many; see https://ca.example/docs/rate-limits', {}],
    ['a date', 429, 'paused; see https://ca.example/unpause?x=1', { 'retry-after': '3600' }],
    [
      'the status of a busy server',
      503,
      'paused; see https://ca.example/unpause?x=1',
      { 'retry-after': '3600' },
    ],
    ['no address', 429, 'too many requests to unpause', {}],
  ])('a limit with %s is no paused name', async (_what, status, detail, headers) => {
    ca.fail('/new-order', problem(status, 'rateLimited', { detail }, headers));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({ code: 'acme.rateLimited' });
  });

  test('faults of its servers are tried again with growing pauses', async () => {
    ca.fail('/new-order', problem(500, 'serverInternal'), page(502, ''), page(503, '<h1>Down</h1>'));
    await session.newOrder({ names }, never);
    expect(opened.clock.pauses).toEqual([1000, 2000, 4000]);
  });

  test('a pending order carries its Retry-After', async () => {
    ca.fail('/order/1', (response) => {
      response.setHeader('retry-after', '3');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(ca.documents['/order/1']));
    });
    expect((await session.order(`${ca.url}/order/1`, never)).retryAfterMs).toBe(3000);
    expect((await session.order(`${ca.url}/order/1`, never)).retryAfterMs).toBeUndefined();
  });
});
