import { expect, test } from 'vitest';
import { limitsOf } from '../../src/acme/limits.ts';
import { mistakesOf, write } from './write.ts';

const issuer = (limits: string) => `issuers:
  le:
    preset: letsencrypt
    limits: ${limits}
    agreeToTerms: true
`;

async function limitsFrom(text: string) {
  const { config } = await (await write(issuer(text))).load();
  const [one] = config.issuers;
  return limitsOf(one?.directoryUrl ?? '', one?.limits);
}

test('the limits of an issuer are off as a whole or one by one, or have other numbers', async () => {
  expect(await limitsFrom('off')).toEqual({});
  expect(await limitsFrom('false')).toEqual({});
  const some = await limitsFrom('{ ordersPerAccount: { count: 900, per: 3h }, certificatesPerDomain: off }');
  expect(some).toEqual({
    ordersPerAccount: { count: 900, perMs: 3 * 3_600_000 },
    certificatesPerNames: { count: 5, perMs: 7 * 86_400_000 },
    failuresPerName: { count: 5, perMs: 3_600_000 },
  });
});

test.each([
  ['{ count: 0, per: 3h }', 'ordersPerAccount.count: must be at least 1'],
  ['{ count: 1.5, per: 3h }', 'ordersPerAccount.count: must be a whole number'],
  ['{ count: 3, per: 3w }', 'ordersPerAccount.per: must be a length of time such as 90s, 30m, 3h or 7d'],
  ['{ count: 3, per: 0h }', 'ordersPerAccount.per: must be a length of time such as 90s, 30m, 3h or 7d'],
  ['{ count: 3 }', 'ordersPerAccount.per: is missing'],
  ['300', 'ordersPerAccount: must be { count: 300, per: 3h } (s, m, h or d), or off'],
  ['on', 'ordersPerAccount: must be { count: 300, per: 3h } (s, m, h or d), or off'],
])('a limit is not %s', async (limit, mistake) => {
  expect(await mistakesOf(issuer(`{ ordersPerAccount: ${limit} }`))).toEqual([
    expect.stringContaining(`4: issuers.le.limits.${mistake}`),
  ]);
});

test('a limit that does not exist is told', async () => {
  const [mistake, ...others] = await mistakesOf(issuer('{ orderPerAccount: off }'));
  expect(mistake).toMatch(/^4: issuers\.le\.limits.*ordersPerAccount/);
  expect(others).toEqual([]);
});

test('agents on one store must agree on the limits', async () => {
  const hashOf = async (limits: string) => (await (await write(issuer(limits))).load()).sharedHash;
  expect(await hashOf('off')).not.toBe(await hashOf('{ ordersPerAccount: off }'));
});
