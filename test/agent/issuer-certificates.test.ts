import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIssuerCertificates } from '../../src/agent/issuer-certificates.ts';
import { systemClock } from '../../src/clock.ts';
import { createHttp } from '../../src/http.ts';
import { openssl } from '../x509/openssl.ts';
import { intermediate, root } from '../x509/upload/pki.ts';

const answers: Readonly<Record<string, readonly [number, string | Buffer]>> = {
  '/der': [200, intermediate.der],
  '/pem': [200, intermediate.pem],
  '/p7c': [
    200,
    Buffer.from(
      openssl(
        ['crl2pkcs7', '-nocrl', '-certfile', 'in', '-outform', 'DER', '-out', 'p7'],
        root.pem + intermediate.pem,
        'p7',
      ),
      'base64',
    ),
  ],
  '/page': [200, '<html>not here</html>'],
  '/big': [200, Buffer.alloc(100_000)],
};

const server = createServer(({ url = '' }, response) => {
  const [status, body] = answers[url] ?? [404, 'gone'];
  response.statusCode = status;
  response.end(body);
});
let base = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

async function fetchFrom(path: string, allowPrivate: readonly string[] = ['127.0.0.0/8']) {
  const http = createHttp({ allowPrivate, clock: systemClock, userAgent: 'test' });
  try {
    const found = await createIssuerCertificates(http).fetch(`${base}${path}`, AbortSignal.timeout(30_000));
    return found.map((der) => Buffer.from(der));
  } finally {
    await http.close();
  }
}

describe('the certificate of a CA', () => {
  it.each(['/der', '/pem'])('is read from %s', async (path) => {
    expect(await fetchFrom(path)).toEqual([intermediate.der]);
  });

  it('is read from PKCS #7, as some CAs publish theirs', async () => {
    expect(await fetchFrom('/p7c')).toEqual(expect.arrayContaining([intermediate.der, root.der]));
  });

  it('is not there where nothing is', async () => {
    expect(await fetchFrom('/none')).toEqual([]);
  });

  it.each([
    ['/page', 'command.invalid'],
    ['/big', 'net.failed'],
  ])('is not taken from %s', async (path, code) => {
    await expect(fetchFrom(path)).rejects.toMatchObject({ code });
  });

  it('is not fetched from an address of this machine or network that nobody allowed', async () => {
    await expect(fetchFrom('/der', [])).rejects.toMatchObject({ code: 'net.refused' });
  });
});
