import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { type FakeCa, page, reset, startFakeCa } from './fake-ca.ts';
import { issue, layer, never, pebbleIssuer, startResponder } from './kit.ts';

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const path = '/renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE';
const certId = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE';
const window = { start: '2030-01-02T04:00:00Z', end: '2030-01-03T04:00:00Z' };

async function openCa(documents: Record<string, unknown> = {}) {
  const ca = await startFakeCa();
  stops.push(() => ca.stop());
  Object.assign(ca.documents, documents);
  const { acme, clock } = layer({ directoryUrl: ca.directoryUrl, trustPem: ca.trustPem });
  stops.push(() => acme.close());
  return { ca, clock, ask: () => acme.renewalInfo('ca', certId, never) };
}

function seen(ca: FakeCa): readonly string[] {
  return ca.requests.map((request) => `${request.method} ${request.path}`);
}

describe('renewal information', () => {
  test('is a plain GET without account, nonce or signature', async () => {
    const { ca, ask } = await openCa({
      [path]: { suggestedWindow: window, explanationURL: 'https://ca.test/why' },
    });
    expect(await ask()).toEqual({
      start: Date.parse(window.start),
      end: Date.parse(window.end),
      explanationUrl: 'https://ca.test/why',
      retryAfterMs: undefined,
    });
    expect(seen(ca)).toEqual(['GET /dir', `GET ${path}`]);
  });

  test('carries the time after which to ask again', async () => {
    const { ca, ask } = await openCa();
    const answer = (retryAfter: string) =>
      page(200, JSON.stringify({ suggestedWindow: window }), { 'retry-after': retryAfter });
    ca.fail(path, answer('21600'), answer(new Date(Date.now() + 3_600_000).toUTCString()), answer('soon'));
    expect((await ask())?.retryAfterMs).toBe(21_600_000);
    expect((await ask())?.retryAfterMs).toBeGreaterThan(3_500_000);
    expect((await ask())?.retryAfterMs).toBeUndefined();
  });

  test('is asked for where the directory has it now, when it has moved since', async () => {
    const { ca, ask } = await openCa({ [path]: { suggestedWindow: window } });
    await ask();
    delete ca.documents[path];
    await expect(ask()).rejects.toMatchObject({ facts: { status: 404 } });
    const moved = '/other-place';
    ca.documents[`${moved}/${certId}`] = { suggestedWindow: window };
    (ca.documents['/dir'] as Record<string, unknown>).renewalInfo = `${ca.url}${moved}`;
    expect(await ask()).toMatchObject({ start: Date.parse(window.start) });
  });

  test('is none where the directory lists none', async () => {
    const { ca, ask } = await openCa();
    delete (ca.documents['/dir'] as Record<string, unknown>).renewalInfo;
    expect(await ask()).toBeUndefined();
    expect(seen(ca)).toEqual(['GET /dir']);
  });

  test.each<[string, unknown]>([
    ['no window', {}],
    ['a window that ends before it begins', { suggestedWindow: { start: window.end, end: window.start } }],
    ['an empty window', { suggestedWindow: { start: window.start, end: window.start } }],
    ['dates that are none', { suggestedWindow: { start: 'soon', end: 'later' } }],
    ['dates as numbers', { suggestedWindow: { start: 1, end: 2 } }],
    ['a list', []],
    ['nothing', null],
  ])('refuses an answer with %s', async (_, document) => {
    const { ask } = await openCa({ [path]: document });
    await expect(ask()).rejects.toMatchObject({ code: 'acme.response' });
  });

  test.each([
    'javascript:alert(1)',
    'https://ca.test/a b',
    'ftp://ca.test/',
    `https://${'a'.repeat(600)}.test/`,
    7,
  ])('drops %s as an explanation, which people are shown', async (explanationURL) => {
    const { ask } = await openCa({ [path]: { suggestedWindow: window, explanationURL } });
    expect((await ask())?.explanationUrl).toBeUndefined();
  });

  test('is asked for again after faults of the wire and of the server', async () => {
    const { ca, ask, clock } = await openCa({ [path]: { suggestedWindow: window } });
    ca.fail(path, reset, page(503, 'busy'), page(500, 'broken'));
    expect(await ask()).toMatchObject({ start: Date.parse(window.start) });
    expect(clock.pauses).toEqual([1000, 2000, 4000]);
  });

  test('of Pebble is that which its operator sets, by the identifier of the certificate', async () => {
    const pebble = await startPebble({ nonceReject: 0 });
    stops.push(() => pebble.stop());
    const responder = await startResponder(pebble.httpPort);
    stops.push(() => responder.stop());
    const { acme } = layer(pebbleIssuer(pebble));
    stops.push(() => acme.close());
    const session = await acme.session('ca', never);
    const issued = await issue(session, ['a.example.com'], responder);
    const id = issued.ariCertId ?? '';
    const usual = await acme.renewalInfo('ca', id, never);
    expect(usual?.start).toBeGreaterThan(issued.notBefore);
    expect(usual?.end).toBeLessThan(issued.notAfter);
    const past = { start: '2020-01-01T00:00:00Z', end: '2020-01-02T00:00:00Z' };
    const leaf = new X509Certificate(Buffer.from(issued.leafDer));
    await pebble.management('/set-renewal-info/', {
      certificate: leaf.toString(),
      ariResponse: JSON.stringify({ suggestedWindow: past, explanationURL: 'https://ca.test/incident' }),
    });
    expect(await acme.renewalInfo('ca', id, never)).toMatchObject({
      start: Date.parse(past.start),
      end: Date.parse(past.end),
      explanationUrl: 'https://ca.test/incident',
    });
  });
});
