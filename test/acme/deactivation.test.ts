import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { IssuerConfig } from '../../src/acme/index.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { type FakeCa, problem, startFakeCa } from './fake-ca.ts';
import { layer, memoryAccounts, memoryLocks, never, pebbleIssuer } from './kit.ts';

const day = 86_400_000;
const stops: (() => Promise<void>)[] = [];
const order = { names: ['a.example.com'] };
let pebble: TestPebble;

beforeAll(async () => {
  pebble = await startPebble({ nonceReject: 0 });
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

afterAll(async () => {
  await pebble?.stop();
});

function open(config: Omit<IssuerConfig, 'name'>, parts: Parameters<typeof layer>[1] = {}) {
  const made = layer(config, parts);
  stops.push(() => made.acme.close());
  return made;
}

describe('a deactivated account', () => {
  function agents(config: Partial<IssuerConfig> = {}) {
    const shared = { accounts: memoryAccounts(), locks: memoryLocks() };
    const next = (more: Partial<IssuerConfig> = {}) =>
      open({ ...pebbleIssuer(pebble), ...config, ...more }, shared);
    return { next, accounts: shared.accounts };
  }

  test('orders nothing any more, at no agent, and says what to do', async () => {
    const { next, accounts } = agents();
    const other = await next().acme.session('ca', never);
    await other.newOrder(order, never);
    const { deactivatedAt } = await next().acme.deactivate('ca', never);
    expect(deactivatedAt).toEqual(expect.any(Number));
    const refused = { code: 'acme.account', retry: 'blocked' };
    await expect(other.newOrder(order, never)).rejects.toMatchObject(refused);
    await expect(next().acme.session('ca', never)).rejects.toMatchObject({
      ...refused,
      advice: expect.stringContaining('replaceDeactivatedAccount: true'),
    });
    await expect(next().acme.rollover('ca', never)).rejects.toMatchObject({ code: 'command.conflict' });
    expect(accounts.records.get('ca')?.deactivatedAt).toBe(deactivatedAt);
  });

  test('is deactivated twice as well as once, also when the first run died before it was noted', async () => {
    const { next, accounts } = agents();
    await next().acme.session('ca', never);
    const before = accounts.records.get('ca');
    await next().acme.deactivate('ca', never);
    await next().acme.deactivate('ca', never);
    if (before) await accounts.put(before);
    expect((await next().acme.deactivate('ca', never)).deactivatedAt).toEqual(expect.any(Number));
  });

  test('is replaced by another one with another key where the file allows it, also in open sessions', async () => {
    const { next, accounts } = agents({ replaceDeactivatedAccount: true });
    const session = await next().acme.session('ca', never);
    const before = { url: session.accountUrl, answer: session.keyAuthorization('t') };
    await next().acme.deactivate('ca', never);
    await session.newOrder(order, never);
    expect(session.accountUrl).not.toBe(before.url);
    expect(session.keyAuthorization('t')).not.toBe(before.answer);
    expect(accounts.records.get('ca')).toMatchObject({ url: session.accountUrl });
    expect(accounts.records.get('ca')?.deactivatedAt).toBeUndefined();
  });

  test('is noticed when somebody else deactivated it at the CA', async () => {
    const { next, accounts } = agents();
    const session = await next().acme.session('ca', never);
    const before = accounts.records.get('ca');
    await next().acme.deactivate('ca', never);
    if (before) await accounts.put(before);
    await expect(session.newOrder(order, never)).rejects.toMatchObject({
      code: 'acme.account',
      message: expect.stringContaining('is deactivated'),
    });
    expect(accounts.records.get('ca')?.deactivatedAt).toEqual(expect.any(Number));
  });

  test('is not replaced again and again within a day', async () => {
    const { next, accounts } = agents({ replaceDeactivatedAccount: true });
    await next().acme.session('ca', never);
    await next().acme.deactivate('ca', never);
    await next().acme.session('ca', never);
    await next().acme.deactivate('ca', never);
    const { reregisteredAt = 0 } = accounts.records.get('ca') ?? {};
    await expect(next().acme.session('ca', never)).rejects.toMatchObject({
      code: 'acme.account',
      retryAt: reregisteredAt + day,
    });
  });
});

describe('a CA that forgets', () => {
  let ca: FakeCa;

  async function forgetful(parts: Parameters<typeof layer>[1] = {}) {
    ca ??= await startFakeCa();
    const made = open({ directoryUrl: ca.directoryUrl, trustPem: ca.trustPem }, parts);
    return { ...made, session: await made.acme.session('ca', never) };
  }

  afterEach(async () => {
    await ca.stop();
    ca = undefined as never;
  });

  const forgotten = problem(400, 'accountDoesNotExist');

  test('is asked for the account by its key before it is registered again', async () => {
    const { session, accounts } = await forgetful();
    ca.fail('/new-order', forgotten);
    await session.newOrder(order, never);
    const asked = ca.requests.filter(({ path }) => path === '/new-account').map(({ payload }) => payload);
    expect(asked).toEqual([{ termsOfServiceAgreed: true }, { onlyReturnExisting: true }]);
    expect(accounts.records.get('ca')?.reregisteredAt).toBeUndefined();
  });

  test.each(['deactivated', 'revoked'])(
    'and shows an account that is %s opens no other one',
    async (status) => {
      const { session, accounts } = await forgetful();
      ca.fail('/new-order', forgotten);
      const headers = { 'content-type': 'application/json', location: session.accountUrl };
      ca.fail('/new-account', (response) => response.writeHead(200, headers).end(JSON.stringify({ status })));
      await expect(session.newOrder(order, never)).rejects.toMatchObject({ code: 'acme.account' });
      expect(accounts.records.get('ca')?.deactivatedAt).toEqual(expect.any(Number));
    },
  );

  test('gets the account again once a day and not more, all agents together', async () => {
    const shared = { accounts: memoryAccounts(), locks: memoryLocks() };
    const { session } = await forgetful(shared);
    ca.fail('/new-order', forgotten);
    ca.fail('/new-account', forgotten);
    await session.newOrder(order, never);
    const { reregisteredAt = 0 } = shared.accounts.records.get('ca') ?? {};
    expect(reregisteredAt).toBeGreaterThan(0);

    const second = await forgetful(shared);
    ca.fail('/new-order', forgotten);
    ca.fail('/new-account', forgotten);
    const count = ca.requests.length;
    await expect(second.session.newOrder(order, never)).rejects.toMatchObject({
      code: 'acme.account',
      retryAt: reregisteredAt + day,
    });
    expect(ca.requests.slice(count).filter(({ path }) => path === '/new-account')).toHaveLength(1);

    await second.clock.sleep(day);
    ca.fail('/new-order', forgotten);
    ca.fail('/new-account', forgotten);
    await second.session.newOrder(order, never);
    expect(shared.accounts.records.get('ca')?.reregisteredAt).toBeGreaterThan(reregisteredAt);
  });

  test('and refuses for reasons of its own is not asked about the account each time', async () => {
    const { session } = await forgetful();
    for (let time = 0; time < 3; time++) {
      ca.fail('/new-order', problem(403, 'unauthorized'));
      await expect(session.newOrder(order, never)).rejects.toMatchObject({ code: 'acme.account' });
    }
    expect(ca.requests.filter(({ path }) => path === '/new-account')).toHaveLength(2);
  });
});
