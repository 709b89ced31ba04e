import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AcmeSession } from '../../src/core/ports.ts';
import type { Secret } from '../../src/core/secret.ts';
import type { KeyType } from '../../src/core/types.ts';
import { startPebble, type TestPebble } from '../support/pebble.ts';
import { type FakeCa, problem, startFakeCa } from './fake-ca.ts';
import { issue, layer, never, pebbleIssuer, pki, type Responder, startResponder } from './kit.ts';

let pebble: TestPebble;
let responder: Responder;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  pebble = await startPebble({ nonceReject: 20 });
  responder = await startResponder(pebble.httpPort);
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(async () => {
  await responder?.stop();
  await pebble?.stop();
});

function open(config: Parameters<typeof layer>[0] = pebbleIssuer(pebble)) {
  const made = layer(config);
  stops.push(() => made.acme.close());
  return made;
}

async function issued(session: AcmeSession, keyType: KeyType = 'p256') {
  const key = await pki.generateKey(keyType);
  const { leafDer } = await issue(session, ['a.example.com'], { answers: responder.answers, key });
  return { leafDer, key };
}

async function statusOf(leafDer: Uint8Array): Promise<object> {
  const { serialNumber } = new X509Certificate(leafDer);
  return JSON.parse(await pebble.management(`/cert-status-by-serial/${serialNumber}`));
}

/** Says whether the key was asked for. */
function request(leafDer: Uint8Array, held?: Secret<Uint8Array>) {
  const asked = { times: 0 };
  const key = async () => {
    asked.times += 1;
    return held;
  };
  return { asked, leafDer, reason: 'superseded' as const, key };
}

describe('a certificate', () => {
  test('is revoked by the account that ordered it, whose key is not needed; a second time counts as done', async () => {
    const { acme } = open();
    const { leafDer, key } = await issued(await acme.session('ca', never));
    const wish = request(leafDer, key);
    await acme.revoke('ca', wish, never);
    expect(await statusOf(leafDer)).toMatchObject({ Status: 'Revoked', Reason: 4 });
    await acme.revoke('ca', wish, never);
    expect(wish.asked.times).toBe(0);
  });

  test.each<KeyType>(['p256', 'p384', 'rsa2048'])(
    'of another account is revoked by its own key of type %s',
    async (keyType) => {
      const { leafDer, key } = await issued(await open().acme.session('ca', never), keyType);
      const { acme } = open();
      await acme.revoke('ca', request(leafDer, key), never);
      expect(await statusOf(leafDer)).toMatchObject({ Status: 'Revoked', Reason: 4 });
      await acme.revoke('ca', request(leafDer, key), never);
    },
  );

  test('of an account that is closed is revoked by its own key', async () => {
    const { acme } = open();
    const { leafDer, key } = await issued(await acme.session('ca', never));
    await acme.deactivate('ca', never);
    await acme.revoke('ca', request(leafDer, key), never);
    expect(await statusOf(leafDer)).toMatchObject({ Status: 'Revoked' });
  });

  test('of another account whose key is not held stays as it is, and the CA is quoted', async () => {
    const { leafDer } = await issued(await open().acme.session('ca', never));
    const refusal = { code: 'acme.account', message: expect.stringMatching(/^ca: /) };
    await expect(open().acme.revoke('ca', request(leafDer), never)).rejects.toMatchObject(refusal);
    expect(await statusOf(leafDer)).toMatchObject({ Status: 'Valid' });
  });
});

describe('at a CA that refuses', () => {
  let ca: FakeCa;

  beforeAll(async () => {
    ca = await startFakeCa();
    Object.assign(ca.documents['/dir'] as object, { revokeCert: `${ca.url}/revoke` });
    ca.documents['/revoke'] = {};
  });
  afterAll(() => ca?.stop());

  const revocations = () => ca.requests.filter(({ path }) => path === '/revoke');
  const atCa = () => open({ directoryUrl: ca.directoryUrl, trustPem: ca.trustPem });

  test('the reason, the key of the certificate is not tried', async () => {
    ca.fail('/revoke', problem(400, 'badRevocationReason'));
    const key = await pki.generateKey('p256');
    const wish = request(Buffer.from('leaf'), key);
    await expect(atCa().acme.revoke('ca', wish, never)).rejects.toMatchObject({ code: 'acme.malformed' });
    expect([wish.asked.times, revocations().length]).toEqual([0, 1]);
  });

  test('an account that it has forgotten and then opens anew, the key signs in its own name', async () => {
    const before = revocations().length;
    ca.fail('/revoke', problem(400, 'accountDoesNotExist'), problem(403, 'unauthorized'));
    await atCa().acme.revoke('ca', request(Buffer.from('leaf'), await pki.generateKey('p256')), never);
    const signers = revocations().slice(before);
    expect(signers.map(({ protected: { kid, jwk } }) => [kid !== undefined, jwk !== undefined])).toEqual([
      [true, false],
      [true, false],
      [false, true],
    ]);
  });
});
