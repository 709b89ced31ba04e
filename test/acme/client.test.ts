import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { axios, Client } from 'acme-client';
import { describe, expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { publicJwk } from '../../src/x509/jwk.ts';
import { startFakeCa } from './fake-ca.ts';
import { layer, never } from './kit.ts';

/** What we replace in acme-client are private parts of its instances: these tests tell when they have moved. */
describe('acme-client 5.4.0', () => {
  test('is the exact version installed', () => {
    const manifest = JSON.parse(readFileSync('node_modules/acme-client/package.json', 'utf8'));
    expect(manifest.version).toBe('5.4.0');
  });

  test('keeps signing, requests and resources in open fields of the instance', () => {
    const client = new Client({ directoryUrl: 'unused:', accountKey: Buffer.alloc(0) });
    const http = Reflect.get(client, 'http');
    const api = Reflect.get(client, 'api');
    for (const name of [
      'request',
      'getNonce',
      'getDirectory',
      'createSignedBody',
      'createSignedHmacBody',
      'getJwk',
    ]) {
      expect(http[name], `http.${name}`).toBeTypeOf('function');
    }
    for (const name of [
      'apiRequest',
      'createAccount',
      'updateAccount',
      'createOrder',
      'getOrder',
      'finalizeOrder',
      'getAuthorization',
      'completeChallenge',
    ]) {
      expect(api[name], `api.${name}`).toBeTypeOf('function');
    }
    expect(http).toHaveProperty('accountKey');
    expect(http).toHaveProperty('jwk', null);
    expect(api).toHaveProperty('accountUrl', null);
  });

  test('sends nothing by itself: every request of a walk goes through our transport', async () => {
    const ca = await startFakeCa();
    const usual = axios.defaults.adapter;
    let own = 0;
    axios.defaults.adapter = async () => {
      own += 1;
      throw new Error('acme-client made a request of its own');
    };
    const { acme } = layer({
      directoryUrl: ca.directoryUrl,
      trustPem: ca.trustPem,
      eab: { kid: 'kid-1', hmacKey: secret('c2VjcmV0') },
    });
    try {
      const session = await acme.session('ca', never);
      const order = await session.newOrder({ names: ['a.example.com', '192.0.2.1'], replaces: 'x.y' }, never);
      await session.authorization(order.authorizations[0] ?? '', never);
      await session.respond(`${ca.url}/challenge/1`, never);
      await session.finalize(order, Buffer.from('csr'), never);
      await session.order(order.url, never);
    } finally {
      axios.defaults.adapter = usual;
      await acme.close();
      await ca.stop();
    }
    expect(own).toBe(0);
    expect(ca.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /dir',
      'GET /nonce',
      'POST /new-account',
      'POST /new-order',
      'POST /authz/1',
      'POST /challenge/1',
      'POST /finalize/1',
      'POST /order/1',
    ]);
    const [account, order, authorization, challenge, finalize] = ca.requests.slice(2);
    expect(account?.payload).toMatchObject({ externalAccountBinding: { signature: expect.any(String) } });
    expect(account?.protected).toMatchObject({ alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256' } });
    expect(order?.protected).toMatchObject({ alg: 'ES256', kid: `${ca.url}/account/1` });
    expect(order?.payload).toEqual({
      identifiers: [
        { type: 'dns', value: 'a.example.com' },
        { type: 'ip', value: '192.0.2.1' },
      ],
      replaces: 'x.y',
    });
    expect(authorization?.payload).toBeUndefined();
    expect(challenge?.payload).toEqual({});
    expect(finalize?.payload).toEqual({ csr: Buffer.from('csr').toString('base64url') });
  });

  test('signs with a parsed key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const client = new Client({ directoryUrl: 'unused:', accountKey: Buffer.alloc(0) });
    const http = Reflect.get(client, 'http');
    http.accountKey = privateKey;
    http.jwk = publicJwk(privateKey);
    const jws = http.createSignedBody('https://ca.example/x', { a: 1 }, { nonce: 'n', kid: 'k' });
    const signed = Buffer.from(`${jws.protected}.${jws.payload}`);
    const key = { key: createPublicKey(privateKey), dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', signed, key, Buffer.from(jws.signature, 'base64url'))).toBe(true);
  });
});
