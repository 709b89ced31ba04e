import { describe, expect, test } from 'vitest';
import { limitsOf } from '../../src/acme/limits.ts';
import { refusedLimit } from '../../src/acme/refused-limit.ts';
import { presets } from '../../src/config/presets.ts';
import { AgentError } from '../../src/core/errors.ts';
import { limitText } from '../../src/core/renewal/limit-words.ts';

const hour = 3_600_000;
const now = Date.UTC(2026, 10, 20);

describe('the limits of an issuer', () => {
  const { letsencrypt } = presets;

  test("are those that Let's Encrypt documents, for production and for staging", () => {
    expect(limitsOf(letsencrypt.directoryUrl, undefined)).toEqual({
      ordersPerAccount: { count: 300, perMs: 3 * hour },
      certificatesPerDomain: { count: 50, perMs: 168 * hour },
      certificatesPerNames: { count: 5, perMs: 168 * hour },
      failuresPerName: { count: 5, perMs: hour },
    });
    const staging = limitsOf(presets['letsencrypt-staging'].directoryUrl, undefined);
    expect(staging.ordersPerAccount).toEqual({ count: 1500, perMs: 3 * hour });
  });

  test('are none where nothing is known, or where they are off', () => {
    expect(limitsOf('https://ca.example/directory', undefined)).toEqual({});
    expect(limitsOf(letsencrypt.directoryUrl, 'off')).toEqual({});
  });

  test('are as the file says, one by one', () => {
    const ordersPerAccount = { count: 1000, perMs: hour };
    expect(limitsOf('https://ca.example/directory', { ordersPerAccount })).toEqual({ ordersPerAccount });
    const limits = limitsOf(letsencrypt.directoryUrl, { ordersPerAccount, certificatesPerDomain: 'off' });
    expect(limits).toMatchObject({ ordersPerAccount, certificatesPerNames: { count: 5 } });
    expect(limits).not.toHaveProperty('certificatesPerDomain');
  });

  test('are told in words', () => {
    expect(limitText('certificatesPerDomain', { count: 50, perMs: 168 * hour }, 'example.com')).toBe(
      'certificates for example.com (50 in 7 days)',
    );
    expect(limitText('failuresPerName', { count: 5, perMs: hour }, 'a.example.com')).toBe(
      'failed validations of a.example.com (5 in 1 hour)',
    );
    expect(limitText('ordersPerAccount', { count: 2, perMs: 90_000 }, undefined)).toBe(
      'orders of the account (2 in 90 seconds)',
    );
  });
});

describe('the answer of a CA that we are above a limit', () => {
  const names = ['www.example.com', 'shop.example.com', 'example.org'];

  function told(detail: string, retryAt: number | undefined = now + hour, ordered = names) {
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    return refusedLimit(new AgentError('acme.rateLimited', detail, { retryAt, facts: { problem } }), ordered);
  }

  const see = (anchor: string) => `: see https://letsencrypt.org/docs/rate-limits/#${anchor}`;

  test.each([
    [
      `too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-20 01:00:00 UTC${see('new-orders-per-account')}`,
      { name: 'ordersPerAccount' },
    ],
    [
      `too many certificates (50) already issued for "example.org" in the last 168h0m0s${see('new-certificates-per-registered-domain')}`,
      { name: 'certificatesPerDomain', about: 'example.org' },
    ],
    [
      `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s${see('new-certificates-per-exact-set-of-identifiers')}`,
      { name: 'certificatesPerNames', about: 'example.org,shop.example.com,www.example.com' },
    ],
    [
      `too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s${see('authorization-failures-per-identifier-per-account')}`,
      { name: 'failuresPerName', about: 'shop.example.com' },
    ],
    ['Your account has placed too many orders', { name: 'ordersPerAccount' }],
  ])('%s', (detail, limit) => {
    expect(told(detail)).toEqual({ ...limit, until: now + hour });
  });

  test.each([
    'Service busy; retry later.',
    `too many new registrations (10) from this IP${see('new-registrations-per-ip-address')}`,
    `too many certificates (50) already issued for "example.net"${see('new-certificates-per-registered-domain')}`,
  ])('teaches nothing: %s', (detail) => {
    expect(told(detail)).toBeUndefined();
  });

  test('has its instant in words where there is no Retry-After, and without any teaches nothing', () => {
    const orders = 'too many new orders (300) from this account in the last 3h0m0s';
    const problem = (detail: string) => ({ type: 'urn:ietf:params:acme:error:rateLimited', detail });
    const refusal = (detail: string) =>
      refusedLimit(
        new AgentError('acme.rateLimited', detail, { facts: { problem: problem(detail) } }),
        names,
      );
    expect(refusal(`${orders}, retry after 2026-11-20 01:00:00 UTC`)?.until).toBe(now + hour);
    expect(refusal(orders)).toBeUndefined();
  });

  test('is about the only domain of the order where it names none', () => {
    const detail = `too many certificates already issued${see('new-certificates-per-registered-domain')}`;
    expect(told(detail, now + hour, ['a.example.com', '*.example.com'])).toMatchObject({
      about: 'example.com',
    });
    expect(told(detail)).toBeUndefined();
  });
});
