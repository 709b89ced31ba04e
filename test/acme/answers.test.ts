import { describe, expect, test } from 'vitest';
import { page, problem, reset } from './fake-ca.ts';
import { never } from './kit.ts';
import { ca, names, opened, postsTo, session, useFakeCa } from './with-fake-ca.ts';

const dayMs = 86_400_000;

useFakeCa();

describe('answers that are none', () => {
  test('an error page is quoted without its markup', async () => {
    ca.fail('/new-order', page(403, '<html><style>p{}</style><p>Access  <b>denied</b></p></html>'));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({
      code: 'acme.response',
      message: 'ca: answered with HTTP 403: Access denied',
    });
  });

  test('an error page of nothing but brackets takes no time to read', async () => {
    ca.fail('/new-order', page(403, '<'.repeat(1_000_000)));
    const startedAt = Date.now();
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({ code: 'acme.response' });
    expect(Date.now() - startedAt).toBeLessThan(5000);
  });

  test('an empty error says so', async () => {
    ca.fail('/new-order', page(400, ''));
    await expect(session.newOrder({ names }, never)).rejects.toThrow('HTTP 400 and an empty body');
  });

  test.each([
    ['broken JSON', '{"status": '],
    ['a list', '[]'],
    ['an order without a status', '{"finalize":"x","authorizations":[],"identifiers":[]}'],
    ['an order of an unknown status', '{"status":"odd","finalize":"x","authorizations":[],"identifiers":[]}'],
    ['an order without authorizations', '{"status":"ready","finalize":"x","identifiers":[]}'],
  ])('%s in place of an order is acme.response', async (_what, body) => {
    ca.fail('/order/1', (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
    await expect(session.order(`${ca.url}/order/1`, never)).rejects.toMatchObject({ code: 'acme.response' });
  });

  test.each(['', 'authz/1', 'file:///etc/passwd'])('%j where a URL belongs is refused', async (url) => {
    await expect(session.authorization(url, never)).rejects.toMatchObject({ code: 'acme.response' });
  });

  test('an order without a URL is refused', async () => {
    ca.fail('/new-order', (response) => {
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify(ca.documents['/new-order']));
    });
    await expect(session.newOrder({ names }, never)).rejects.toThrow('without the URL of the order');
  });

  test.each([
    ['an HTML page', '<html></html>'],
    ['a document without newOrder', '{"newNonce":"https://x/","newAccount":"https://x/"}'],
    ['a document with a bad URL', '{"newNonce":"https://x/","newAccount":"https://x/","newOrder":"-"}'],
  ])('%s is not a directory', async (_what, body) => {
    ca.fail('/dir', page(200, body));
    await expect(opened.acme.check('ca', never)).rejects.toMatchObject({
      code: 'acme.response',
      message: expect.stringContaining('is not an ACME directory'),
    });
  });
});

describe('problems', () => {
  test('are kept whole, with what the CA says of each name', async () => {
    const subproblems = [
      {
        type: 'urn:ietf:params:acme:error:caa',
        detail: 'CAA forbids',
        identifier: { type: 'dns', value: 'b.example.com' },
      },
    ];
    ca.fail('/new-order', problem(403, 'caa', { subproblems, instance: 'https://ca.example/why' }));
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(error).toMatchObject({
      code: 'challenge.caa',
      message: 'ca: about caa; see https://ca.example/why; b.example.com: CAA forbids',
      facts: { status: 403, problem: { subproblems } },
    });
  });

  test('are short enough to read, and no command to a terminal', async () => {
    const detail = `it answered "\u001b]0;owned\u0007<html>\r\n${'x'.repeat(10_000)}"`;
    ca.fail('/new-order', problem(403, 'caa', { detail }));
    const error = await session.newOrder({ names }, never).catch((caught) => caught);
    expect(error.message).toMatch(/^ca: it answered " \]0;owned <html> x+…$/);
    expect(error.message.length).toBeLessThan(5000);
  });

  test.each([
    ['alreadyReplaced', 409, 'order.alreadyReplaced'],
    ['unauthorized', 403, 'acme.account'],
    ['userActionRequired', 403, 'acme.userAction'],
    ['badCSR', 400, 'acme.malformed'],
    ['somethingNew', 400, 'order.invalid'],
  ])('%s with status %i is %s', async (type, status, code) => {
    ca.fail('/new-order', problem(status, type));
    await expect(session.newOrder({ names }, never)).rejects.toMatchObject({ code });
    expect(postsTo('/new-order')).toHaveLength(1);
  });

  test('unknown challenge types and challenges without a token are left out', async () => {
    const url = `${ca.url}/challenge/1`;
    ca.documents['/authz/1'] = {
      status: 'pending',
      identifier: { type: 'dns', value: 'example.com' },
      wildcard: true,
      challenges: [
        { type: 'dns-future-01', url, status: 'pending', 'issuer-domain-names': ['ca.example'] },
        { type: 'dns-persist-01', url, status: 'pending' },
        { type: 'http-01', url, status: 'pending' },
        { type: 'dns-01', url, status: 'pending', token: 't' },
        'nonsense',
      ],
    };
    const authorization = await session.authorization(`${ca.url}/authz/1`, never);
    expect(authorization.wildcard).toBe(true);
    expect(authorization.challenges.map(({ type }) => type)).toEqual(['dns-01']);
  });

  test('finalize of an order that an earlier try finished tells how the order is', async () => {
    const order = await session.newOrder({ names }, never);
    ca.fail('/finalize/1', reset, problem(403, 'orderNotReady'));
    ca.documents['/order/1'] = { ...Object(ca.documents['/order/1']), status: 'processing' };
    expect((await session.finalize(order, Buffer.from('csr'), never)).status).toBe('processing');
  });

  test.each(['pending', 'processing'])('a refused answer to a challenge that is %s', async (status) => {
    const url = `${ca.url}/challenge/1`;
    ca.documents['/challenge/1'] = { type: 'http-01', url, status, token: 'token-1' };
    ca.fail('/challenge/1', problem(400, 'malformed'));
    const answered = session.respond(url, never);
    if (status === 'processing') await answered;
    else await expect(answered).rejects.toMatchObject({ code: 'acme.malformed' });
  });

  test('finalize of an order that is not ready fails', async () => {
    const order = await session.newOrder({ names }, never);
    ca.fail('/finalize/1', problem(403, 'orderNotReady'));
    await expect(session.finalize(order, Buffer.from('csr'), never)).rejects.toMatchObject({
      code: 'acme.malformed',
    });
  });
});

describe('a directory that changed', () => {
  test('is read again when one of its URLs is gone, and the call goes to the new one', async () => {
    ca.documents['/dir'] = { ...Object(ca.documents['/dir']), newOrder: `${ca.url}/order-2` };
    ca.fail('/new-order', page(404, 'gone'));
    ca.fail('/order-2', (response) => {
      response.writeHead(201, { location: `${ca.url}/order/1`, 'content-type': 'application/json' });
      response.end(JSON.stringify(ca.documents['/order/1']));
    });
    const order = await session.newOrder({ names }, never);
    expect(order.url).toBe(`${ca.url}/order/1`);
    expect(postsTo('/dir')).toHaveLength(2);
  });

  test('is read again after a day', async () => {
    await opened.clock.sleep(dayMs);
    await session.newOrder({ names }, never);
    await session.newOrder({ names }, never);
    expect(postsTo('/dir')).toHaveLength(2);
  });

  test('serves on when it cannot be read again, and is asked for ten minutes later', async () => {
    await opened.clock.sleep(dayMs);
    ca.fail('/dir', page(403, 'no'), page(403, 'no'));
    await session.newOrder({ names }, never);
    await session.newOrder({ names }, never);
    expect(postsTo('/dir')).toHaveLength(2);
    await opened.clock.sleep(600_000);
    await session.newOrder({ names }, never);
    expect(postsTo('/dir')).toHaveLength(3);
  });

  test('is not read again for an order that is gone', async () => {
    await expect(session.order(`${ca.url}/order/9`, never)).rejects.toMatchObject({ facts: { status: 404 } });
    expect(postsTo('/dir')).toHaveLength(1);
  });
});
