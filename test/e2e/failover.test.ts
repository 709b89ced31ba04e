import { describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { FakeAnswer } from '../support/proxy.ts';
import { accepted, asked, breakOrders, hostNames, issued, keepUntilEnd } from './given.ts';
import { issuersOf, retryAfter, twoIssuers, unavailable } from './two-issuers.ts';

const keep = keepUntilEnd();

describe('the second issuer', () => {
  const [host = ''] = hostNames(1);

  it.each<readonly [string, FakeAnswer]>([
    [
      'internal errors',
      { code: 500, headers: retryAfter, body: { type: 'urn:ietf:params:acme:error:serverInternal' } },
    ],
    ['an outage', unavailable],
  ])(
    'issues after three faults of the first, %s; the next renewal is back at the first',
    async (_, answer) => {
      const { site, first, second } = await twoIssuers(keep, [host]);
      const fault = breakOrders(first, answer);
      keep(await site.start());
      await until('the first is asked', () => asked(first) === 1);
      for (const times of [2, 3]) {
        await site.ask('renew', host, '--wait');
        expect(asked(first)).toBe(times);
      }
      const before = await issued(site, [host]);
      expect(await issuersOf(site)).toEqual(['second']);
      expect([accepted(first, 'newOrder'), accepted(second, 'newOrder')]).toEqual([0, 1]);

      fault.mend();
      expect(await site.ask('renew', host, '--force', '--wait')).toMatchObject({ code: 0 });
      await issued(site, [host], { before });
      expect(await issuersOf(site)).toEqual(['first']);
      expect([accepted(first, 'newOrder'), accepted(second, 'newOrder')]).toEqual([1, 1]);
    },
  );

  it('issues at once where waiting for the first is pointless: its rate limit outlasts the certificate', async () => {
    const { site, first, second } = await twoIssuers(keep, [host]);
    const body = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' };
    breakOrders(first, { code: 429, headers: { 'retry-after': '86400' }, body });
    keep(await site.start());
    await issued(site, [host]);
    expect([asked(first), accepted(second, 'newOrder')]).toEqual([1, 1]);
  });

  it('is not asked for what the first says about a name', async () => {
    const { site, first, second } = await twoIssuers(keep, [host], {
      http01: { port: 1, address: '127.0.0.1' },
    });
    keep(await site.start({ args: ['--roles', 'scheduler,worker'] }));
    for (const times of [1, 2, 3, 4]) {
      if (times > 1) await site.ask('renew', host, '--wait');
      await until(`attempt ${times}`, () => accepted(first, 'newOrder') === times);
    }
    expect(asked(second)).toBe(0);
  });
});
