import { createServer, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCrls } from '../../src/acme/crl.ts';
import { systemClock } from '../../src/clock.ts';
import type { Crls, IssuedSerials, RevokedEntry } from '../../src/core/ports.ts';
import { createHttp, type HttpClient } from '../../src/http.ts';
import { readPem } from '../../src/x509/pem.ts';
import { makeCrl, makeRoot } from '../x509/openssl.ts';
import { never, portOf } from './kit.ts';

const hour = 3_600_000;
const ca = makeRoot('Served');
const issuerDer = readPem(ca.pem)[0] ?? Buffer.alloc(0);
const list = readPem(makeCrl(ca, { revoked: [['0A', 'keyCompromise']], hours: 200 }), 'X509 CRL')[0];

let body: Buffer;
let status: number;
let etag: string | undefined;
let requests: IncomingMessage[];
let skippedMs: number;
let http: HttpClient;
let crls: Crls;
let url: string;

const clock = { ...systemClock, now: () => systemClock.now() + skippedMs };
const server = createServer((request, response) => {
  requests.push(request);
  const isSame = etag !== undefined && request.headers['if-none-match'] === etag;
  response.writeHead(isSame ? 304 : status, etag === undefined ? {} : { etag });
  response.end(isSame ? undefined : body);
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${portOf(server)}/1.crl`;
});
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));
beforeEach(() => {
  [body, status, etag, requests, skippedMs] = [list ?? Buffer.alloc(0), 200, '"one"', [], 0];
  http = createHttp({ allowPrivate: ['127.0.0.0/8'], clock, userAgent: 'test' });
  crls = createCrls({ http, clock });
  return () => http.close();
});

/** Serials found; undefined: nobody was called. */
async function look(serials = ['0a', '0b']): Promise<readonly string[] | undefined> {
  let found: readonly RevokedEntry[] | undefined;
  const keep = async (revoked: readonly RevokedEntry[]): Promise<void> => {
    found = revoked;
  };
  await crls.look({ url, issued: [{ issuerDer, serials }] }, keep, never);
  return found?.map(({ serial }) => serial);
}

describe('a list of revoked certificates', () => {
  test('is fetched once in six hours, and then only if it has changed', async () => {
    expect(await look()).toEqual(['0a']);
    skippedMs = 5 * hour;
    expect(await look()).toBeUndefined();
    expect(requests).toHaveLength(1);
    skippedMs = 7 * hour;
    expect(await look()).toBeUndefined();
    expect(requests[1]?.headers).toMatchObject({ 'if-none-match': '"one"' });
    etag = '"two"';
    skippedMs = 14 * hour;
    expect(await look()).toEqual(['0a']);
    expect(requests).toHaveLength(3);
  });

  test('is fetched again after a clock that stood a year ahead', async () => {
    skippedMs = 365 * 24 * hour;
    await look();
    skippedMs = 0;
    await look();
    expect(requests).toHaveLength(2);
  });

  test('that its CA does not renew any more is fetched once an hour all the same, not each time', async () => {
    skippedMs = 300 * hour;
    expect(await look()).toEqual(['0a']);
    skippedMs += hour / 2;
    expect(await look()).toBeUndefined();
    expect(requests).toHaveLength(1);
    skippedMs += hour;
    await look();
    expect(requests).toHaveLength(2);
  });

  test('is read again, whole, for a certificate that was not looked for in it before', async () => {
    await look(['0b']);
    expect(await look(['0b', '0a'])).toEqual(['0a']);
    expect(requests[1]?.headers['if-none-match']).toBeUndefined();
  });

  test('counts as seen only when what was found in it is written down', async () => {
    const fail = () => Promise.reject(new Error('the store is away'));
    await expect(crls.look({ url, issued: [{ issuerDer, serials: ['0a'] }] }, fail, never)).rejects.toThrow(
      'away',
    );
    expect(await look(['0a'])).toEqual(['0a']);
  });

  test('that cannot be had, or is none, is told, and asked for the next time', async () => {
    status = 404;
    await expect(look()).rejects.toMatchObject({ code: 'net.failed' });
    [status, body] = [200, Buffer.from('<h1>soon</h1>')];
    await expect(look()).rejects.toMatchObject({ code: 'acme.response' });
    body = list ?? body;
    expect(await look()).toEqual(['0a']);
  });

  test('is fetched once for all CAs that name its place; that of one is used though it is not that of another', async () => {
    const renewed = readPem(makeRoot('Served').pem)[0] ?? Buffer.alloc(0);
    const issued = [renewed, issuerDer].map((der) => ({ issuerDer: der, serials: ['0a'] }));
    const found: unknown[] = [];
    const keep = async (revoked: readonly RevokedEntry[], of: IssuedSerials): Promise<void> => {
      found.push([of.issuerDer === issuerDer, revoked.map(({ serial }) => serial)]);
    };
    const refusal = { code: 'acme.response', message: expect.stringContaining('valid signature') };
    await expect(crls.look({ url, issued }, keep, never)).rejects.toMatchObject(refusal);
    expect([found, requests.length]).toEqual([[[true, ['0a']]], 1]);
    await crls.look(
      { url, issued: [issuerDer, issuerDer].map((der) => ({ issuerDer: der, serials: ['0a'] })) },
      keep,
      never,
    );
    expect([found.length, requests.length]).toEqual([3, 2]);
    expect(await look(['0a'])).toBeUndefined();
  });

  test('larger than any list of a CA is not taken in', async () => {
    body = Buffer.alloc(51 * 1024 * 1024);
    await expect(look()).rejects.toMatchObject({ code: 'net.failed' });
  });

  test('at a private address is refused, for others may have named it', async () => {
    const strict = createHttp({ allowPrivate: [], clock, userAgent: 'test' });
    crls = createCrls({ http: strict, clock });
    await expect(look()).rejects.toMatchObject({ code: 'net.refused' });
    await strict.close();
    expect(requests).toEqual([]);
  });
});
