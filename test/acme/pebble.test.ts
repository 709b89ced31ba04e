import { createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { IssuerConfig } from '../../src/acme/index.ts';
import { secret } from '../../src/core/secret.ts';
import { type PebbleOptions, startPebble, type TestPebble } from '../support/pebble.ts';
import { issue, layer, memoryAccounts, never, pebbleIssuer, startResponder } from './kit.ts';

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function startCa(options: PebbleOptions) {
  const pebble = await startPebble(options);
  stops.push(() => pebble.stop());
  const responder = await startResponder(pebble.httpPort);
  stops.push(() => responder.stop());
  return { pebble, answers: responder.answers };
}

function openLayer(pebble: TestPebble, config: Partial<IssuerConfig> = {}, accounts = memoryAccounts()) {
  const opened = layer({ ...pebbleIssuer(pebble), ...config }, { accounts });
  stops.push(() => opened.acme.close());
  return opened;
}

/** Requests that reached Pebble, as `POST /order-plz`. */
function requestsTo(pebble: TestPebble): string[] {
  return [...pebble.output().matchAll(/ (GET|HEAD|POST) (\/[a-zA-Z-]+)\S* -> calling handler/g)].map(
    ([, method, path]) => `${method} ${path}`,
  );
}

describe('an order at Pebble', () => {
  test('makes the requests of the protocol and no other', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0 });
    const { acme } = openLayer(pebble);
    const session = await acme.session('ca', never);
    const expected = ['GET /dir', 'GET /dir', 'GET /nonce-plz', 'POST /sign-me-up'];
    // The first look at the directory is that of the test support.
    await expect.poll(() => requestsTo(pebble)).toEqual(expected);
    await issue(session, ['a.example.com'], { answers });
    await acme.session('ca', never);
    const order = ['order-plz', 'authZ', 'chalZ', 'my-order', 'finalize-order', 'my-order', 'certZ'];
    const collapsed = () => {
      const made = requestsTo(pebble).slice(expected.length);
      // One poll or more, as fast as Pebble is.
      return made.filter((request, index) => request !== made[index - 1]);
    };
    await expect.poll(collapsed).toEqual(order.map((path) => `POST /${path}`));
  });

  test.each([0, 20, 50])('is finished at %i percent of nonces rejected', async (nonceReject) => {
    const { pebble, answers } = await startCa({ nonceReject });
    const { acme, clock } = openLayer(pebble);
    const session = await acme.session('ca', never);
    const names = Array.from({ length: 40 }, (_, index) => `h${index}.example.com`);
    const issued = await Promise.all(names.map((name) => issue(session, [name], { answers })));
    expect(issued.map((one) => one.names)).toEqual(names.map((name) => [name]));
    const root = new X509Certificate(await pebble.rootPem());
    for (const { chainDer } of issued) {
      expect(new X509Certificate(Buffer.from(chainDer.at(-1) ?? [])).verify(root.publicKey)).toBe(true);
    }
    expect(clock.pauses).toEqual([]);
  });

  test('names its profile, and a wrong one is order.profile', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0 });
    const { acme } = openLayer(pebble);
    const session = await acme.session('ca', never);
    expect(session.profiles).toEqual(expect.arrayContaining(['default', 'shortlived']));
    expect(session.hasRenewalInfo).toBe(true);
    const days = ({ notAfter, notBefore }: { notAfter: number; notBefore: number }) =>
      Math.round((notAfter - notBefore) / 86_400_000);
    expect(days(await issue(session, ['a.example.com'], { answers, profile: 'shortlived' }))).toBe(6);
    expect(days(await issue(session, ['a.example.com'], { answers, profile: 'default' }))).toBe(90);
    await expect(
      session.newOrder({ names: ['a.example.com'], profile: 'gold' }, never),
    ).rejects.toMatchObject({
      code: 'order.profile',
    });
  });

  test('is checked for a profile that its issuer requires, and not for one that it would like', async () => {
    const { pebble } = await startCa({ nonceReject: 0 });
    const checked = (required: boolean) =>
      openLayer(pebble, { profile: { name: 'gold', required } }).acme.check('ca', never);
    expect(await checked(false)).toMatchObject({ issuer: 'ca' });
    await expect(checked(true)).rejects.toMatchObject({
      code: 'order.profile',
      message: 'ca has no profile "gold"; it offers default, shortlived',
    });
  });

  test('of a name that the CA refuses says so with the whole problem', async () => {
    const { pebble } = await startCa({ nonceReject: 0, domainBlocklist: ['blocked.example.com'] });
    const { acme } = openLayer(pebble);
    const session = await acme.session('ca', never);
    await expect(session.newOrder({ names: ['blocked.example.com'] }, never)).rejects.toMatchObject({
      code: 'order.rejectedIdentifier',
      facts: { problem: { type: 'urn:ietf:params:acme:error:rejectedIdentifier' } },
    });
  });

  test('has a chain of any length, leaf first and without the root', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0, chainLength: 3 });
    const { acme } = openLayer(pebble);
    const { leafDer, chainDer } = await issue(await acme.session('ca', never), ['a.example.com'], {
      answers,
    });
    expect(chainDer).toHaveLength(3);
    const path = [leafDer, ...chainDer].map((der) => new X509Certificate(Buffer.from(der)));
    for (const [index, below] of path.slice(0, -1).entries()) {
      expect(below.checkIssued(path[index + 1] ?? below)).toBe(true);
    }
  });

  test('answers a challenge that was answered already', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0 });
    const { acme } = openLayer(pebble);
    const session = await acme.session('ca', never);
    const order = await session.newOrder({ names: ['a.example.com'] }, never);
    const { challenges } = await session.authorization(order.authorizations[0] ?? '', never);
    const challenge = challenges.find((one) => one.type === 'http-01');
    if (!challenge) throw new Error('no http-01 challenge');
    answers.set(challenge.token, session.keyAuthorization(challenge.token));
    await session.respond(challenge.url, never);
    await expect.poll(async () => (await session.order(order.url, never)).status).toBe('ready');
    await session.respond(challenge.url, never);
  });

  test('takes an answer twice for finalize as one', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0 });
    const { acme } = openLayer(pebble);
    const session = await acme.session('ca', never);
    const got: Awaited<ReturnType<typeof session.finalize>>[] = [];
    await issue(
      {
        ...session,
        async finalize(order, csrDer, signal) {
          got.push(await session.finalize(order, csrDer, signal));
          await expect.poll(async () => (await session.order(order.url, never)).status).toBe('valid');
          return session.finalize(order, csrDer, signal);
        },
      },
      ['a.example.com'],
      { answers },
    );
    expect(got).toHaveLength(1);
  });
});

describe('alternate roots', () => {
  test('the chain of the preferred root is taken', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0, alternateRoots: 2 });
    const wanted = new X509Certificate(await pebble.rootPem(2));
    const preferredChain = wanted.subject.replace('CN=', '');
    const { acme, log } = openLayer(pebble, { preferredChain });
    const { chainDer } = await issue(await acme.session('ca', never), ['a.example.com'], { answers });
    expect(new X509Certificate(Buffer.from(chainDer.at(-1) ?? [])).verify(wanted.publicKey)).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('the delivered chain is taken where it is that of the preferred root, without a look at others', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0, alternateRoots: 1 });
    const first = new X509Certificate(await pebble.rootPem(0));
    const { acme, log } = openLayer(pebble, { preferredChain: first.subject.replace('CN=', '') });
    const { chainDer } = await issue(await acme.session('ca', never), ['a.example.com'], { answers });
    expect(new X509Certificate(Buffer.from(chainDer.at(-1) ?? [])).verify(first.publicKey)).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('a root that is not offered is a warning, not a failure', async () => {
    const { pebble, answers } = await startCa({ nonceReject: 0, alternateRoots: 1 });
    const { acme, log } = openLayer(pebble, { preferredChain: 'Nobody' });
    const { chainDer } = await issue(await acme.session('ca', never), ['a.example.com'], { answers });
    const first = new X509Certificate(await pebble.rootPem(0));
    expect(new X509Certificate(Buffer.from(chainDer.at(-1) ?? [])).verify(first.publicKey)).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('the account at Pebble', () => {
  test('is bound to the customer where the CA asks for that', async () => {
    const hmac = randomBytes(32).toString('base64url');
    const { pebble, answers } = await startCa({ nonceReject: 20, eab: { 'kid-1': hmac } });
    const { acme, accounts } = openLayer(pebble, { eab: { kid: 'kid-1', hmacKey: secret(hmac) } });
    await issue(await acme.session('ca', never), ['a.example.com'], { answers });
    expect(accounts.records.get('ca')?.url).toMatch(/my-account/);
  });

  test('is not asked for without a key for the binding', async () => {
    const hmac = createHmac('sha256', 'x').digest('base64url');
    const { pebble } = await startCa({ nonceReject: 0, eab: { 'kid-1': hmac } });
    const { acme } = openLayer(pebble);
    await expect(acme.session('ca', never)).rejects.toMatchObject({ code: 'acme.externalAccount' });
    await expect(acme.check('ca', never)).rejects.toMatchObject({ code: 'acme.externalAccount' });
  });

  test('is kept over a restart without any request, and found by its key when its URL was lost', async () => {
    const { pebble } = await startCa({ nonceReject: 0 });
    const first = openLayer(pebble);
    const { accountUrl } = await first.acme.session('ca', never);
    const stored = first.accounts.records.get('ca');
    if (!stored) throw new Error('no account stored');

    const again = openLayer(pebble, {}, first.accounts);
    expect((await again.acme.session('ca', never)).accountUrl).toBe(accountUrl);
    await expect.poll(() => requestsTo(pebble).filter((one) => one === 'POST /sign-me-up')).toHaveLength(1);

    await first.accounts.put({ ...stored, url: undefined, contacts: [] });
    const found = openLayer(pebble, {}, first.accounts);
    expect((await found.acme.session('ca', never)).accountUrl).toBe(accountUrl);
    expect(first.accounts.records.get('ca')?.contacts).toEqual(['mailto:operator@example.com']);
  });

  test('is checked without registering', async () => {
    const { pebble } = await startCa({ nonceReject: 0 });
    const { acme, accounts } = openLayer(pebble);
    expect(await acme.check('ca', never)).toMatchObject({
      issuer: 'ca',
      hasRenewalInfo: true,
      profiles: expect.arrayContaining(['shortlived']),
      account: undefined,
    });
    expect(accounts.history).toEqual([]);
  });
});
