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
    expect(
      limitText({
        name: 'certificatesPerDomain',
        about: 'example.com',
        count: 50,
        perMs: 168 * hour,
      }),
    ).toBe('certificates for example.com (50 in 7 days)');
    expect(
      limitText({
        name: 'failuresPerName',
        about: 'a.example.com',
        count: 5,
        perMs: hour,
      }),
    ).toBe('failed validations of a.example.com (5 in 1 hour)');
    expect(limitText({ name: 'ordersPerAccount', count: 2, perMs: 90_000 })).toBe(
      'orders of the account (2 in 90 seconds)',
    );
    expect(limitText({ name: 'ordersForName', about: 'a.example.com' })).toBe(
      'it asked us to wait with new orders for a.example.com',
    );
  });
});

describe('the answer of a CA that we are above a limit', () => {
  const names = ['www.example.com', 'shop.example.com', 'example.org'];

  function told(detail: string, retryAt: number | undefined = now + hour, ordered = names) {
    const problem = { type: 'urn:ietf:params:acme:error:rateLimited', detail };
    const error = new AgentError('acme.rateLimited', detail, { retryAt, facts: { status: 429, problem } });
    return refusedLimit(error, { names: ordered, isUnderWay: false });
  }

  const see = (anchor: string) => `: see https://letsencrypt.org/docs/rate-limits/#${anchor}`;

  test.each([
    [
      `too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-20 01:00:00 UTC${see('new-orders-per-account')}`,
      { limit: 'ordersPerAccount', hold: 'orders' },
    ],
    [
      `too many certificates (50) already issued for "example.org" in the last 168h0m0s${see('new-certificates-per-registered-domain')}`,
      { limit: 'certificatesPerDomain', hold: 'ordersUnderDomain', about: 'example.org' },
    ],
    [
      `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s${see('new-certificates-per-exact-set-of-identifiers')}`,
      {
        limit: 'certificatesPerNames',
        hold: 'ordersForNames',
        about: 'example.org,shop.example.com,www.example.com',
      },
    ],
    [
      `too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s${see('authorization-failures-per-identifier-per-account')}`,
      { limit: 'failuresPerName', hold: 'ordersForName', about: 'shop.example.com' },
    ],
    ['Your account has placed too many orders', { limit: 'ordersPerAccount', hold: 'orders' }],
  ])('%s', (detail, limit) => {
    expect(told(detail)).toEqual({ ...limit, until: now + hour });
  });

  const set = 'example.org,shop.example.com,www.example.com';

  test.each([
    ['Service busy; retry later.', { hold: 'orders' }],
    [
      `too many new registrations (10) from this IP${see('new-registrations-per-ip-address')}`,
      { hold: 'orders' },
    ],
    [
      'too many consecutive failures for "shop.example.com"',
      { hold: 'ordersForName', about: 'shop.example.com' },
    ],
    [
      `too many certificates (50) already issued for "example.net"${see('new-certificates-per-registered-domain')}`,
      { hold: 'ordersForNames', about: set },
    ],
  ])('is of no limit that we keep: %s', (detail, hold) => {
    expect(told(detail)).toEqual({ ...hold, until: now + hour });
  });

  test('has its instant in words where there is no Retry-After, and without any teaches nothing', () => {
    const orders = 'too many new orders (300) from this account in the last 3h0m0s';
    const problem = (detail: string) => ({ type: 'urn:ietf:params:acme:error:rateLimited', detail });
    const refusal = (detail: string) =>
      refusedLimit(
        new AgentError('acme.rateLimited', detail, { facts: { status: 429, problem: problem(detail) } }),
        { names, isUnderWay: false },
      );
    expect(refusal(`${orders}, retry after 2026-11-20 01:00:00 UTC`)?.until).toBe(now + hour);
    expect(refusal(orders)).toBeUndefined();
  });

  test('is about the only domain of the order where it names none', () => {
    const detail = `too many certificates already issued${see('new-certificates-per-registered-domain')}`;
    expect(told(detail, now + hour, ['a.example.com', '*.example.com'])).toMatchObject({
      about: 'example.com',
    });
    expect(told(detail)).toMatchObject({ hold: 'ordersForNames', about: set });
  });
});
