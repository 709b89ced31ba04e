import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import * as acme from 'acme-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPebble, type TestPebble } from './pebble.ts';
import { exchange } from './pebble-launch.ts';
import { until } from './process.ts';
import { startProxy, type TestProxy } from './proxy.ts';

let pebble: TestPebble;

beforeAll(async () => {
  pebble = await startPebble({ nonceReject: 0 });
});

afterAll(() => pebble.stop());

async function withProxy(use: (proxy: TestProxy, ca: string) => Promise<void>): Promise<void> {
  const proxy = await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile });
  try {
    await use(proxy, readFileSync(proxy.caFile, 'utf8'));
  } finally {
    await proxy.stop();
  }
}

describe('the proxy in front of Pebble', () => {
  it('is where all URLs of the directory point', async () => {
    await withProxy(async (proxy, ca) => {
      const directory = JSON.parse(await exchange(proxy.directoryUrl, ca));
      const { origin } = new URL(proxy.directoryUrl);
      for (const name of ['newNonce', 'newAccount', 'newOrder']) expect(directory[name]).toContain(origin);
    });
  });

  it('carries a signed account and order, and knows what each call was', async () => {
    await withProxy(async (proxy, ca) => {
      const http = acme.axios;
      http.defaults.httpsAgent = new Agent({ ca, keepAlive: true });
      const client = new acme.Client({
        directoryUrl: proxy.directoryUrl,
        accountKey: await acme.crypto.createPrivateEcdsaKey(),
      });
      await client.createAccount({ termsOfServiceAgreed: true });
      const order = await client.createOrder({ identifiers: [{ type: 'dns', value: 'example.test' }] });
      expect(order.url).toContain(new URL(proxy.directoryUrl).origin);
      await client.getAuthorizations(order);
      await client.getOrder(order);
      expect(proxy.counts()).toMatchObject({ newAccount: 1, newOrder: 1, authz: 1, order: 1 });
      expect(proxy.calls.find(({ kind }) => kind === 'newOrder')?.payload).toMatchObject({
        identifiers: [{ type: 'dns', value: 'example.test' }],
      });
      http.defaults.httpsAgent.destroy();
    });
  });

  it('holds back an answer after the CA gave it, and releases it', async () => {
    await withProxy(async (proxy, ca) => {
      const held = proxy.hold('directory');
      let answered = false;
      const asked = exchange(proxy.directoryUrl, ca).then((text) => {
        answered = true;
        return text;
      });
      expect((await held.seen).kind).toBe('directory');
      await new Promise((resolve) => setImmediate(resolve));
      expect(answered).toBe(false);
      held.release();
      expect(await asked).toContain('newOrder');
    });
  });

  it('loses an answer that was held back', async () => {
    await withProxy(async (proxy, ca) => {
      const held = proxy.hold('directory');
      const asked = exchange(proxy.directoryUrl, ca);
      asked.catch(() => {});
      await held.seen;
      held.drop();
      await expect(asked).rejects.toThrow();
      expect(await exchange(proxy.directoryUrl, ca)).toContain('newOrder');
    });
  });

  it('answers in the place of the CA, as often as told, with a nonce of the CA', async () => {
    await withProxy(async (proxy, ca) => {
      proxy.status('newNonce', {
        code: 429,
        headers: { 'retry-after': '7' },
        body: { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many' },
        times: 2,
        nonce: true,
      });
      const url = JSON.parse(await exchange(proxy.directoryUrl, ca)).newNonce;
      for (const expected of [429, 429, 204]) {
        const { status, headers } = await get(url, ca);
        expect(status).toBe(expected);
        expect(headers['replay-nonce']).toMatch(/.{8}/);
        expect(headers['retry-after']).toBe(expected === 429 ? '7' : undefined);
      }
    });
  });

  it('cuts the connection before the CA sees the call, or after', async () => {
    await withProxy(async (proxy, ca) => {
      proxy.cut('directory', 'before');
      proxy.cut('directory', 'after');
      await expect(exchange(proxy.directoryUrl, ca)).rejects.toThrow();
      await expect(exchange(proxy.directoryUrl, ca)).rejects.toThrow();
      expect(await exchange(proxy.directoryUrl, ca)).toContain('newOrder');
      expect(proxy.counts().directory).toBe(3);
      expect(proxy.connections()).toBe(3);
    });
  });

  it('changes an answer on its way, as often as told, and says how often that was', async () => {
    await withProxy(async (proxy, ca) => {
      const fault = proxy.rewrite('directory', ({ text }) => ({ status: 203, text: text.slice(0, 5) }), 2);
      expect(await exchange(proxy.directoryUrl, ca)).toHaveLength(5);
      expect(fault.met).toBe(1);
      fault.mend();
      expect(await exchange(proxy.directoryUrl, ca)).toContain('newOrder');
      expect(proxy.calls.map(({ status }) => status)).toEqual([203, 200]);
    });
  });

  it('lets an answer drip', async () => {
    await withProxy(async (proxy, ca) => {
      proxy.drip('directory', { pieces: 10, pauseMs: 20 });
      const began = performance.now();
      expect(JSON.parse(await exchange(proxy.directoryUrl, ca))).toHaveProperty('newOrder');
      expect(performance.now() - began).toBeGreaterThan(150);
    });
  });

  it('delays a call, which the CA never sees when the client hangs up meanwhile', async () => {
    await withProxy(async (proxy, ca) => {
      let hangUps = 0;
      proxy.delay('directory', (hungUp) => hungUp.then(() => void hangUps++));
      const call = request(proxy.directoryUrl, { ca, agent: false });
      call.on('error', () => {});
      call.end();
      await until('the call is there', () => proxy.calls.length === 1);
      call.destroy();
      await until('the proxy knows', () => hangUps === 1);
      expect(proxy.calls[0]?.status).toBeUndefined();
      proxy.delay('directory', async () => {});
      expect(await exchange(proxy.directoryUrl, ca)).toContain('newOrder');
    });
  });
});

function get(url: string, ca: string) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown> }>((resolve, reject) => {
    request(url, { ca, agent: false, headers: { 'user-agent': 'tests' } }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode, headers: answer.headers });
    })
      .on('error', reject)
      .end();
  });
}
