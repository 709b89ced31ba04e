import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { IssuerConfig } from '../../src/acme/index.ts';
import type { AcmeAccountRecord } from '../../src/core/ports.ts';
import { thumbprint } from '../../src/x509/jwk.ts';
import { generateKey, loadKey } from '../../src/x509/key.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { type FakeCa, problem, startFakeCa } from './fake-ca.ts';
import { layer, type MemoryAccounts, memoryAccounts, memoryLocks, never } from './kit.ts';

let pebble: TestPebble;
let proxy: TestProxy;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  pebble = await startPebble({ nonceReject: 0 });
  proxy = await startProxy({ upstream: pebble.directoryUrl, caFile: pebble.caFile });
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

afterAll(async () => {
  await proxy?.stop();
  await pebble?.stop();
});

/** One process; those that share the accounts and locks are on one store. */
function agent(parts: Parameters<typeof layer>[1] = {}, config: Partial<IssuerConfig> = {}) {
  const trustPem = readFileSync(proxy.caFile, 'utf8');
  const made = layer({ directoryUrl: proxy.directoryUrl, trustPem, ...config }, parts);
  stops.push(() => made.acme.close());
  return made;
}

function keyOf(record: AcmeAccountRecord | undefined): string {
  return record === undefined ? '' : thumbprint(loadKey(record.key));
}

/** What goes out to the CA for new accounts, without questions for old ones. */
function registrations(): number {
  return proxy.calls.filter(
    ({ kind, payload }) => kind === 'newAccount' && !JSON.stringify(payload).includes('onlyReturnExisting'),
  ).length;
}

const orderOf = (name: string) => ({ names: [name] });

describe('a new key for the account', () => {
  test('is taken by the CA, kept alone, and signs from then on', async () => {
    const { acme, accounts } = agent();
    const session = await acme.session('ca', never);
    const before = accounts.records.get('ca');
    const changed = await acme.rollover('ca', never);
    expect(changed).toMatchObject({ url: before?.url, rolledAt: expect.any(Number) });
    expect(changed.nextKey).toBeUndefined();
    expect(keyOf(changed)).not.toBe(keyOf(before));
    expect(keyOf(accounts.records.get('ca'))).toBe(keyOf(changed));
    await session.newOrder(orderOf('own.example.com'), never);
    expect(session.keyAuthorization('t')).toBe(`t.${keyOf(changed)}`);
  });

  test('is noticed by the open sessions of all other agents, at the cost of one refused request each', async () => {
    const shared = { accounts: memoryAccounts(), locks: memoryLocks() };
    const others = [agent(shared), agent(shared)];
    const sessions = await Promise.all(others.map(({ acme }) => acme.session('ca', never)));
    const record = await agent(shared).acme.rollover('ca', never);
    const from = proxy.calls.length;
    for (const session of sessions) {
      for (const name of ['a.example.com', 'b.example.com']) await session.newOrder(orderOf(name), never);
      expect(session.keyAuthorization('t')).toBe(`t.${keyOf(record)}`);
    }
    const statuses = proxy.calls
      .slice(from)
      .filter(({ kind }) => kind === 'newOrder')
      .map(({ status }) => status);
    expect(statuses).toEqual([400, 201, 201, 400, 201, 201]);
  });

  test('does not repeat an answer to a challenge that was made with the old one', async () => {
    const shared = { accounts: memoryAccounts(), locks: memoryLocks() };
    const session = await agent(shared).acme.session('ca', never);
    const { authorizations } = await session.newOrder(orderOf('c.example.com'), never);
    const { challenges } = await session.authorization(authorizations[0] ?? '', never);
    const url = challenges.find(({ type }) => type === 'http-01')?.url ?? '';
    await agent(shared).acme.rollover('ca', never);
    await expect(session.respond(url, never)).rejects.toMatchObject({ code: 'store.conflict' });
    const { challenges: after } = await session.authorization(authorizations[0] ?? '', never);
    expect(after.map(({ status }) => status)).toEqual(after.map(() => 'pending'));
  });

  test('may follow an RSA key', async () => {
    const accounts = memoryAccounts();
    const { directoryUrl } = proxy;
    const key = await generateKey('rsa2048');
    await accounts.put({ issuer: 'ca', directoryUrl, key, contacts: [], createdAt: 0 });
    const shared = { accounts, locks: memoryLocks() };
    const session = await agent(shared).acme.session('ca', never);
    await session.newOrder(orderOf('r.example.com'), never);
    await agent(shared).acme.rollover('ca', never);
    await session.newOrder(orderOf('s.example.com'), never);
    expect(loadKey(accounts.records.get('ca')?.key ?? key).asymmetricKeyType).toBe('ec');
  });

  test('that is lost with an old backup costs the account, not the certificates', async () => {
    const { acme, accounts } = agent();
    const session = await acme.session('ca', never);
    const before = accounts.records.get('ca');
    await acme.rollover('ca', never);
    if (before) await accounts.put(before);
    const restored = await agent({ accounts }).acme.session('ca', never);
    await restored.newOrder(orderOf('b.example.com'), never);
    expect(restored.accountUrl).not.toBe(session.accountUrl);
    expect(accounts.records.get('ca')).toMatchObject({
      url: restored.accountUrl,
      reregisteredAt: expect.any(Number),
    });
  });

  test('is refused where there is no account', async () => {
    await expect(agent().acme.rollover('ca', never)).rejects.toMatchObject({ code: 'command.conflict' });
  });
});

describe('a change of key that is killed', () => {
  /** Every write to the store and every call to the CA is a step at which a process may die, before it and after it. */
  async function rollKilledAt(step: number): Promise<{ accounts: MemoryAccounts; steps: number }> {
    const accounts = memoryAccounts();
    const locks = memoryLocks();
    await agent({ accounts, locks }).acme.session('ca', never);
    const killed = new AbortController();
    let steps = 0;
    const pass = () => {
      steps += 1;
      if (steps === step) killed.abort(new Error('killed'));
      killed.signal.throwIfAborted();
    };
    const put = async (record: AcmeAccountRecord) => {
      pass();
      await accounts.put(record);
      pass();
    };
    // Seen before the CA sees it.
    let isBeforeTold = false;
    const isHeld = ({ kind }: { readonly kind: string }): boolean => {
      if (kind !== 'keyChange' || isBeforeTold) return false;
      isBeforeTold = true;
      try {
        pass();
        return false;
      } catch {
        return true;
      }
    };
    proxy.cut(isHeld as Parameters<TestProxy['cut']>[0], 'before');
    const held = proxy.hold('keyChange');
    held.seen.then(
      () => {
        try {
          pass();
          held.release();
        } catch {
          held.drop();
        }
      },
      () => {},
    );
    const { acme } = agent({ accounts: { ...accounts, put }, locks });
    await acme.rollover('ca', killed.signal).then(
      () => expect(killed.signal.aborted).toBe(false),
      (error: unknown) => expect(error).toBe(killed.signal.reason),
    );
    return { accounts, steps };
  }

  test('leaves an account that the next start can use, whatever the step', async () => {
    const { steps } = await rollKilledAt(0);
    expect(steps).toBe(6);
    for (let step = 1; step <= steps; step++) {
      const made = registrations() + 1;
      const { accounts } = await rollKilledAt(step);
      const [first] = accounts.history;
      const next = agent({ accounts });
      const session = await next.acme.session('ca', never);
      await session.newOrder(orderOf(`step${step}.example.com`), never);
      const record = accounts.records.get('ca');
      expect([step, record?.nextKey, record?.url]).toEqual([step, undefined, session.accountUrl]);
      expect([step, session.keyAuthorization('t')]).toEqual([step, `t.${keyOf(record)}`]);
      // What was begun is ended; what was not begun leaves the old key.
      expect([step, keyOf(record) === keyOf(first)]).toEqual([step, step === 1]);
      expect([step, registrations()]).toEqual([step, made]);
    }
  });

  test('is ended by the same command when it is given again, whatever the step', async () => {
    for (let step = 1; step <= 6; step++) {
      const made = registrations() + 1;
      const { accounts } = await rollKilledAt(step);
      const [first] = accounts.history;
      const next = agent({ accounts });
      await next.acme.rollover('ca', never);
      const session = await next.acme.session('ca', never);
      await session.newOrder(orderOf(`again${step}.example.com`), never);
      const record = accounts.records.get('ca');
      expect([step, record?.nextKey, record?.url]).toEqual([step, undefined, session.accountUrl]);
      expect([step, keyOf(record) === keyOf(first)]).toEqual([step, false]);
      expect([step, registrations()]).toEqual([step, made]);
    }
  });
});

describe('a CA', () => {
  let ca: FakeCa;

  async function known(more: Partial<IssuerConfig> = {}, accounts = memoryAccounts()) {
    ca = await startFakeCa();
    stops.push(() => ca.stop());
    const directory = ca.documents['/dir'] as Record<string, unknown>;
    ca.documents['/dir'] = { ...directory, keyChange: `${ca.url}/key-change` };
    ca.documents['/key-change'] = {};
    const made = agent({ accounts }, { directoryUrl: ca.directoryUrl, trustPem: ca.trustPem, ...more });
    await made.acme.session('ca', never);
    return made;
  }

  test('that refuses the new key keeps the old one', async () => {
    const { acme, accounts } = await known();
    const before = keyOf(accounts.records.get('ca'));
    ca.fail('/key-change', problem(400, 'badPublicKey'));
    ca.fail('/new-account', problem(400, 'accountDoesNotExist'));
    await expect(acme.rollover('ca', never)).rejects.toMatchObject({ code: 'acme.account' });
    expect(accounts.records.get('ca')?.nextKey).toBeUndefined();
    expect(keyOf(accounts.records.get('ca'))).toBe(before);
  });

  test('that took the key but whose answer was lost is asked which key it knows', async () => {
    const { acme, accounts } = await known();
    const before = keyOf(accounts.records.get('ca'));
    ca.fail('/key-change', (response) => response.socket?.destroy(), problem(400, 'malformed'));
    await acme.rollover('ca', never);
    expect(keyOf(accounts.records.get('ca'))).not.toBe(before);
  });

  test('that is in trouble leaves both keys, and the old one goes on being used', async () => {
    const { acme, accounts } = await known();
    const before = keyOf(accounts.records.get('ca'));
    const trouble = problem(503, 'serverInternal', {}, { 'retry-after': '600' });
    ca.fail('/key-change', trouble, trouble);
    await expect(acme.rollover('ca', never)).rejects.toMatchObject({ code: 'acme.server' });
    expect(accounts.records.get('ca')?.nextKey).toBeDefined();

    ca.fail('/new-account', problem(400, 'accountDoesNotExist'));
    const next = agent({ accounts }, { directoryUrl: ca.directoryUrl, trustPem: ca.trustPem });
    const session = await next.acme.session('ca', never);
    expect(session.keyAuthorization('t')).toBe(`t.${before}`);
    expect(accounts.records.get('ca')?.nextKey).toBeDefined();

    await agent({ accounts }, { directoryUrl: ca.directoryUrl, trustPem: ca.trustPem }).acme.session(
      'ca',
      never,
    );
    expect(accounts.records.get('ca')?.nextKey).toBeUndefined();
    expect(keyOf(accounts.records.get('ca'))).not.toBe(before);
  });

  test('without a place for it says so, and nothing is changed', async () => {
    const { acme, accounts } = await known();
    const { keyChange: _, ...directory } = ca.documents['/dir'] as Record<string, unknown>;
    ca.documents['/dir'] = directory;
    ca.fail('/new-account', problem(400, 'accountDoesNotExist'), problem(400, 'accountDoesNotExist'));
    const fresh = agent({ accounts }, { directoryUrl: ca.directoryUrl, trustPem: ca.trustPem });
    await expect(fresh.acme.rollover('ca', never)).rejects.toMatchObject({ code: 'command.conflict' });
    expect(accounts.records.get('ca')?.nextKey).toBeUndefined();
    await acme.close();
  });
});
