import { expect, test } from 'vitest';
import { readAuthorization } from '../../src/acme/objects.ts';

const url = 'https://ca.test/authz/1';
const base = { url: 'https://ca.test/challenge/1', status: 'pending' };

function offered(...challenges: readonly object[]) {
  const identifier = { type: 'dns', value: 'www.example.com' };
  return readAuthorization({ status: 'pending', identifier, challenges }, url).challenges;
}

test('a challenge needs what its type needs: a token, or for dns-persist-01 a name of the CA', () => {
  const token = { ...base, token: 'secret' };
  const names = { ...base, 'issuer-domain-names': ['ca.test', 'ca.example'] };
  const usual = ['http-01', 'dns-01', 'tls-alpn-01', 'dns-account-01'];
  expect(offered(...usual.map((type) => ({ ...token, type }))).map(({ type }) => type)).toEqual(usual);
  expect(offered(...usual.map((type) => ({ ...names, type })))).toEqual([]);
  const odd = ['', 'a/b', 'tls:example.test', 'a b', 7].map((value) => ({ ...base, token: value }));
  expect(offered(...odd.map((one) => ({ ...one, type: 'http-01' })))).toEqual([]);
  expect(offered({ ...names, type: 'dns-persist-01' })).toMatchObject([
    { type: 'dns-persist-01', token: '', issuerDomains: ['ca.test', 'ca.example'] },
  ]);
  const useless = [
    { ...token },
    { ...base, 'issuer-domain-names': [] },
    { ...base, 'issuer-domain-names': [1] },
  ];
  expect(offered(...useless.map((one) => ({ ...one, type: 'dns-persist-01' })))).toEqual([]);
});

test('challenges of types that are new are left out', () => {
  expect(offered({ ...base, type: 'dns-future-02', token: 'secret' })).toEqual([]);
});
