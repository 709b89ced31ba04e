import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { checkAllowed, checkHostPermission, createHostPermission } from '../../src/agent/host-permission.ts';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import { createHttp } from '../../src/http.ts';

const { signal } = new AbortController();

/** A platform on this machine that answers with this status. */
async function platform(status: number, allowPrivate = ['127.0.0.0/8']) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status, status === 302 ? { location: 'http://10.0.0.1/' } : {}).end('x');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const http = createHttp({ allowPrivate, clock: systemClock, userAgent: 'test' });
  onTestFinished(async () => {
    await http.close();
    server.close();
  });
  const url = secret(`http://127.0.0.1:${port}/may?token=t`);
  return { asked, port, permission: createHostPermission(url, http) };
}

test('the platform is asked with the host as "domain", beside what the URL has', async () => {
  const { asked, permission } = await platform(204);
  expect(await permission.ask('a.example.com', signal)).toBe(204);
  expect(asked).toEqual(['/may?token=t&domain=a.example.com']);
});

test('a private address is not asked unless the file allows it, nor one that it leads to; no error tells the token', async () => {
  const refused = await platform(204, []);
  const error = await refused.permission.ask('a.example.com', signal).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'net.refused' });
  expect(String(error)).not.toContain('token');
  expect(refused.asked).toEqual([]);
  const leading = await platform(302);
  await expect(leading.permission.ask('a.example.com', signal)).rejects.toMatchObject({
    code: 'net.refused',
  });
});

test('check finds out a platform that permits all, or cannot answer', async () => {
  const said = async (status: number) => checkHostPermission((await platform(status)).permission, signal);
  expect(await said(404)).toBe('ready');
  expect(await said(403)).toBe('ready');
  expect(await said(200)).toMatchObject({ warning: expect.stringContaining('permits check.invalid') });
  expect(await said(500)).toMatchObject({ warning: expect.stringContaining('answers 500') });
});

test('check finds out patterns for names of whoever registers one, where nobody is asked', () => {
  const said = (allow: readonly string[], asksPermission = false) =>
    checkAllowed({ allow, asksPermission, perDomain: { count: 1, perMs: 1 }, mostWaiting: 1 });
  expect(said(['*.shops.example.com', '*.example.co.uk', 'www.example.com'])).toBe(
    '*.shops.example.com *.example.co.uk www.example.com',
  );
  for (const open of ['*.co.uk', '*.*.com.au'])
    expect(said(['*.example.com', open])).toMatchObject({
      warning: expect.stringContaining(`${open} allows`),
    });
  expect(said(['*.co.uk'], true)).toBe('*.co.uk');
  // A platform may have its own suffix in the list, so that its tenants are strangers to each other.
  expect(said(['*.github.io'])).toBe('*.github.io');
});
