import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IssuerConfig } from '../../src/acme/index.ts';
import { type FakeCa, problem, silence, startFakeCa } from './fake-ca.ts';
import { layer, memoryAccounts, memoryLocks, never } from './kit.ts';

let ca: FakeCa;
const opened: ReturnType<typeof layer>[] = [];

beforeEach(async () => {
  ca = await startFakeCa();
});

afterEach(async () => {
  for (const { acme } of opened.splice(0)) await acme.close();
  await ca.stop();
});

function open(config: Partial<IssuerConfig> = {}, parts: Parameters<typeof layer>[1] = {}) {
  const made = layer({ directoryUrl: ca.directoryUrl, trustPem: ca.trustPem, ...config }, parts);
  opened.push(made);
  return made;
}

function requestsTo(path: string) {
  return ca.requests.filter((request) => request.path === path);
}

describe('registering', () => {
  test('stores the key before the CA hears of it', async () => {
    const accounts = memoryAccounts();
    const atRequest: unknown[] = [];
    ca.fail('/new-account', (response) => {
      atRequest.push(...accounts.history.map(({ url, key }) => ({ url, hasKey: key.reveal().length > 0 })));
      response.writeHead(201, { location: `${ca.url}/account/1` }).end('{}');
    });
    await open({}, { accounts }).acme.session('ca', never);
    expect(atRequest).toEqual([{ url: undefined, hasKey: true }]);
    expect(accounts.records.get('ca')?.url).toBe(`${ca.url}/account/1`);
  });

  test('happens once for many callers at once, in one process and in two', async () => {
    const shared = { accounts: memoryAccounts(), locks: memoryLocks() };
    const [first, second] = [open({}, shared), open({}, shared)];
    const sessions = await Promise.all(
      [first, first, first, second, second].map(({ acme }) => acme.session('ca', never)),
    );
    expect(new Set(sessions.map(({ accountUrl }) => accountUrl)).size).toBe(1);
    expect(requestsTo('/new-account')).toHaveLength(1);
    expect(shared.accounts.history.filter(({ url }) => url === undefined)).toHaveLength(1);
  });

  test('agrees to the terms and sends the contacts as mailto URLs', async () => {
    await open({ contacts: ['a@example.com', 'mailto:b@example.com'] }).acme.session('ca', never);
    expect(requestsTo('/new-account')[0]?.payload).toEqual({
      termsOfServiceAgreed: true,
      contact: ['mailto:a@example.com', 'mailto:b@example.com'],
    });
  });

  test('asks first for an account whose URL was lost, and makes one when there is none', async () => {
    const accounts = memoryAccounts();
    ca.fail('/new-account', problem(500, 'serverInternal', {}, { 'retry-after': '60' }));
    await expect(open({}, { accounts }).acme.session('ca', never)).rejects.toMatchObject({
      code: 'acme.server',
    });
    expect(accounts.records.get('ca')?.url).toBeUndefined();

    ca.fail('/new-account', problem(400, 'accountDoesNotExist'));
    await open({}, { accounts }).acme.session('ca', never);
    const [failed, asked, made] = requestsTo('/new-account');
    expect(asked?.payload).toEqual({ onlyReturnExisting: true });
    expect(made?.payload).toEqual({ termsOfServiceAgreed: true });
    expect(made?.protected.jwk).toEqual(failed?.protected.jwk);
  });

  test('is tried again by the next caller after a failure', async () => {
    const { acme } = open();
    ca.fail('/new-account', problem(403, 'unauthorized'));
    await expect(acme.session('ca', never)).rejects.toMatchObject({ code: 'acme.account' });
    await acme.session('ca', never);
  });

  test('goes on for the others when one of those who wait gives up', async () => {
    const { acme } = open();
    const abort = new AbortController();
    let answer = () => {};
    ca.fail('/new-account', (response) => {
      answer = () => response.writeHead(201, { location: `${ca.url}/account/1` }).end('{}');
    });
    const impatient = acme.session('ca', abort.signal);
    impatient.catch(() => {});
    const patient = acme.session('ca', never);
    await expect.poll(() => requestsTo('/new-account')).toHaveLength(1);
    abort.abort(new Error('no time'));
    await expect(impatient).rejects.toThrow('no time');
    answer();
    expect((await patient).accountUrl).toBe(`${ca.url}/account/1`);
  });

  test('does not outlive the agent', async () => {
    const { acme } = open();
    ca.fail('/new-account', silence);
    const session = acme.session('ca', never);
    session.catch(() => {});
    await expect.poll(() => requestsTo('/new-account')).toHaveLength(1);
    await acme.close();
    await expect(session).rejects.toMatchObject({ code: 'acme.network' });
  });
});

describe('other contacts in the file', () => {
  test('are told at once to an account that is there, and once; none is made for them', async () => {
    const accounts = memoryAccounts();
    await open({ contacts: ['a@example.com'] }, { accounts }).acme.tellContacts(never);
    expect(ca.requests).toEqual([]);
    await open({ contacts: ['a@example.com'] }, { accounts }).acme.session('ca', never);
    for (let times = 0; times < 2; times++)
      await open({ contacts: ['b@example.com'] }, { accounts }).acme.tellContacts(never);
    const updates = ca.requests.filter(({ path }) => path.startsWith('/account/'));
    expect(updates.map(({ payload }) => payload)).toEqual([{ contact: ['mailto:b@example.com'] }]);
    expect(accounts.records.get('ca')?.contacts).toEqual(['mailto:b@example.com']);
  });
});

describe('an account that is known', () => {
  test('costs no request', async () => {
    const accounts = memoryAccounts();
    await open({}, { accounts }).acme.session('ca', never);
    await open({}, { accounts }).acme.session('ca', never);
    expect(ca.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /dir',
      'GET /nonce',
      'POST /new-account',
      'GET /dir',
    ]);
  });

  test('is told new contacts once, compared with what was last sent', async () => {
    const accounts = memoryAccounts();
    await open({ contacts: ['a@example.com'] }, { accounts }).acme.session('ca', never);
    await open({ contacts: ['b@example.com'] }, { accounts }).acme.session('ca', never);
    await open({ contacts: ['b@example.com'] }, { accounts }).acme.session('ca', never);
    expect(requestsTo('/account/1').map(({ payload }) => payload)).toEqual([
      { contact: ['mailto:b@example.com'] },
    ]);
  });

  test('is used all the same when the CA does not take its new contacts', async () => {
    const accounts = memoryAccounts();
    await open({}, { accounts }).acme.session('ca', never);
    ca.fail('/account/1', problem(400, 'invalidContact'));
    const { acme, log } = open({ contacts: ['bad'] }, { accounts });
    await acme.session('ca', never);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    expect(accounts.records.get('ca')?.contacts).toEqual([]);
  });

  test('is registered again with the same key when the CA has forgotten it, and the call goes on', async () => {
    const { acme, accounts } = open();
    const session = await acme.session('ca', never);
    const before = session.keyAuthorization('t');
    ca.fail('/new-order', problem(400, 'accountDoesNotExist'));
    ca.fail('/new-account', (response) => {
      response.writeHead(201, { location: `${ca.url}/account/2` }).end('{}');
    });
    await session.newOrder({ names: ['a.example.com'] }, never);
    expect(session.accountUrl).toBe(`${ca.url}/account/2`);
    expect(accounts.records.get('ca')?.url).toBe(`${ca.url}/account/2`);
    expect(requestsTo('/new-order').map((request) => request.protected.kid)).toEqual([
      `${ca.url}/account/1`,
      `${ca.url}/account/2`,
    ]);
    expect(session.keyAuthorization('t')).toBe(before);
  });

  test('of another directory is replaced by a new one with a key of its own', async () => {
    const accounts = memoryAccounts();
    await open({}, { accounts }).acme.session('ca', never);
    ca.documents['/dir-2'] = ca.documents['/dir'];
    await open({ directoryUrl: `${ca.url}/dir-2` }, { accounts }).acme.session('ca', never);
    const [first, second] = requestsTo('/new-account');
    expect(second?.protected.jwk).not.toEqual(first?.protected.jwk);
    expect(second?.payload).toEqual({ termsOfServiceAgreed: true });
  });
});

test('an issuer that is not configured is order.issuer', async () => {
  const { acme } = open();
  await expect(acme.session('other', never)).rejects.toMatchObject({ code: 'order.issuer' });
});
