import { describe, expect, it, onTestFinished } from 'vitest';
import type { Front, VendorOptions } from './vendors/server.ts';
import { startVendor } from './vendors/server.ts';
import { readQuoted, writeQuoted } from './vendors/text.ts';
import { createWorld } from './vendors/world.ts';

/** A vendor of one path: what is posted there becomes a value. */
const front: Front = {
  isAuthorized: ({ headers }) => headers.authorization === 'token',
  refusal: (why) => ({
    status: { credentials: 401, rights: 403, haste: 429, fault: 500 }[why],
    json: { why },
  }),
  routes: (world) => [
    {
      method: 'GET',
      path: '/:name',
      run: ({ params }) => ({ status: 200, json: world.store.txt(params.name ?? '') }),
    },
    {
      method: 'POST',
      path: '/:name',
      run({ params: { name = '' }, text }) {
        world.addRecord('example.test', { name, type: 'TXT', ttl: 60, value: text });
        return { status: 201 };
      },
    },
  ],
};

const name = 'a.example.test';

describe('the stand-in for a vendor', () => {
  it('lets nobody in without credentials, and nobody do anything without rights', async () => {
    const { call, server } = await start();
    expect((await call('GET', 'wrong')).status).toBe(401);
    server.deny(true);
    expect((await call('POST')).status).toBe(403);
    server.deny(false);
    expect((await call('POST')).status).toBe(201);
    expect(server.world.store.txt(name)).toEqual(['value']);
  });

  it('refuses what is beyond its limit, and says for how long', async () => {
    const { call, server } = await start({ limit: { perSecond: 0.01, burst: 2, retryAfter: true } });
    const answers = [await call('GET'), await call('GET'), await call('GET')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(90);
    expect(server.refused()).toBe(1);
  });

  it('fails, throttles, loses and hangs when it is told to, each once', async () => {
    const { call, server } = await start();
    server.failNext();
    expect((await call('POST')).status).toBe(500);
    server.throttleNext(7);
    expect((await call('GET')).headers.get('retry-after')).toBe('7');
    server.loseNext();
    expect((await call('GET')).status).toBe(200);
    await expect(call('POST')).rejects.toThrow();
    expect(server.world.store.txt(name)).toEqual(['value']);
    const hang = server.hangNext();
    const hanging = call('POST');
    await hang.reached;
    expect(server.world.store.txt(name)).toEqual(['value']);
    hang.release();
    expect((await hanging).status).toBe(201);
    expect(server.calls).toHaveLength(5);
  });

  it('fails at random as often as it is told to', async () => {
    const { call, server } = await start({ faultShare: 0.5 });
    const statuses = [];
    for (let index = 0; index < 40; index++) statuses.push((await call('GET')).status);
    const failed = statuses.filter((status) => status === 500).length;
    expect(failed).toBeGreaterThan(8);
    expect(failed).toBeLessThan(32);
    server.shake(0);
    for (let index = 0; index < 10; index++) expect((await call('GET')).status).toBe(200);
  });

  it('publishes a change later than it is held', async () => {
    const { call, server } = await start({ publishDelayMs: 50 });
    await call('POST');
    const { store } = server.world;
    expect(store.txt(name)).toEqual(['value']);
    expect(store.published(name, 'TXT')).toBeUndefined();
    await expect.poll(() => store.published(name, 'TXT')?.values).toEqual(['value']);
  });
});

describe('the account of a vendor', () => {
  it('gives each copy of a record an id of its own, which dies with it', () => {
    const world = createWorld({});
    const record = { name, type: 'TXT', ttl: 60, value: 'copy' } as const;
    const [first, second] = [
      world.addRecord('example.test', record),
      world.addRecord('example.test', record),
    ];
    expect(first.id).not.toBe(second.id);
    expect(world.removeRecord('example.test', first.id)).toBe(true);
    expect(world.removeRecord('example.test', first.id)).toBe(false);
    expect(world.records('example.test').filter(({ type }) => type === 'TXT')).toEqual([second]);
  });

  it('knows what every vendor refuses', () => {
    const world = createWorld({ minTtl: 60 });
    const problem = (of: string, ttl?: number) => world.problem('example.test', { name: of, ttl });
    expect(problem('a.example.test', 60)).toBeUndefined();
    expect(problem('a.elsewhere.test')).toMatch(/not in the zone/);
    expect(problem('a.refused.example.test')).toBeDefined();
    expect(problem('a.example.test', 59)).toMatch(/below 60/);
  });
});

describe('texts of a vendor', () => {
  it.each(['plain', 'a "quoted" \\ text', 'x'.repeat(600), 'ümlaut', ''])(
    'come back as they were written',
    (value) => {
      expect(readQuoted(writeQuoted(value))).toBe(value);
    },
  );

  it.each(['plain', '"open', '"a" b', `"${'x'.repeat(256)}"`])(
    'are refused when they are not written so: %s',
    (text) => {
      expect(readQuoted(text)).toBeUndefined();
    },
  );
});

async function start(options: VendorOptions = {}) {
  const server = await startVendor(front, options);
  onTestFinished(() => server.stop());
  const call = (method: string, authorization = 'token') =>
    fetch(`${server.url}/${name}`, {
      method,
      headers: { authorization },
      ...(method === 'POST' && { body: 'value' }),
    });
  return { server, call };
}
