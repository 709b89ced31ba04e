import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createDns01Solver } from '../../src/challenge/dns01.ts';
import { systemClock } from '../../src/clock.ts';
import type { ChallengeToSolve } from '../../src/core/ports.ts';
import { createStage, errorOf, never, until, untilReady } from '../dns/stage.ts';

function challenge(name: string, token: string, more: Partial<ChallengeToSolve> = {}): ChallengeToSolve {
  return {
    lineage: 'example.test/*.example.test/ec',
    domain: 'example.test',
    identifier: { type: 'dns', value: name },
    wildcard: false,
    names: ['example.test'],
    token,
    keyAuthorization: `${token}.thumbprint`,
    accountUrl: 'https://ca.test/account/1',
    dnsAccount: 'main',
    expiresAt: Date.now() + 3_600_000,
    ...more,
  };
}

function digest(token: string): string {
  return createHash('sha256').update(`${token}.thumbprint`).digest('base64url');
}

describe('dns-01', () => {
  test('apex and wildcard are two digests at one name, brought in by one call and taken away again', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDns01Solver(dns, { clock: systemClock });
    const ids = await solver.present(
      [challenge('example.test', 'one'), challenge('example.test', 'two')],
      never,
    );
    await untilReady(dns, ids);

    expect(solver.type).toBe('dns-01');
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([digest('one'), digest('two')]);
    expect(stage.vendor.calls).toHaveLength(1);
    await solver.cleanUp(ids, never);
    await until(() => stage.zones.txt('_acme-challenge.example.test').length === 0);
  });

  test('apex and wildcard at a vendor with room for one value come one after the other', async () => {
    const stage = await createStage({ traits: { maxValuesPerName: 1 } });
    const dns = stage.agent();
    const solver = createDns01Solver(dns, { clock: systemClock });
    const [first = '', second = ''] = await solver.present(
      [challenge('example.test', 'one'), challenge('example.test', 'two')],
      never,
    );
    await untilReady(dns, [first]);
    expect(await solver.ready(second, never)).toEqual({ checkAgainAt: expect.any(Number) });
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([digest('one')]);

    // The CA has accepted the first one.
    await solver.cleanUp([first], never);
    await untilReady(dns, [second]);
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([digest('two')]);
  });

  test('a place at a full name is waited for as long as a CA may take to judge, and no longer', async () => {
    const stage = await createStage({ traits: { maxValuesPerName: 1 } });
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => Date.now() + aheadMs };
    const dns = stage.agent({ clock });
    const solver = createDns01Solver(dns, { clock });
    const inTwoHours = { expiresAt: Date.now() + 7_800_000 };
    const [first = '', second = ''] = await solver.present(
      [challenge('example.test', 'one', inTwoHours), challenge('example.test', 'two', inTwoHours)],
      never,
    );
    await untilReady(dns, [first]);
    aheadMs = 3_500_000;
    expect(await solver.ready(second, never)).toEqual({ checkAgainAt: expect.any(Number) });
    aheadMs = 3_700_000;
    expect(await errorOf(solver.ready(second, never))).toMatchObject({
      code: 'dns.propagation',
      message: expect.stringContaining('holds at most 1 TXT value(s) at _acme-challenge.example.test'),
    });
  });

  test('clean-up goes on though the order was aborted, and may run twice', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDns01Solver(dns, { clock: systemClock });
    const ids = await solver.present([challenge('example.test', 'one')], never);
    await untilReady(dns, ids);

    await solver.cleanUp(ids, AbortSignal.abort(new Error('the order was aborted')));
    await solver.cleanUp(ids, AbortSignal.abort());
    await until(async () => (await stage.memory.journal.all()).length === 0);
    await solver.cleanUp(ids, never);
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([]);
  });

  test('another agent can say that a record is ready', async () => {
    const stage = await createStage();
    const ids = await createDns01Solver(stage.agent(), { clock: systemClock }).present(
      [challenge('example.test', 'one')],
      never,
    );
    const other = stage.agent();
    const solver = createDns01Solver(other, { clock: systemClock });
    await untilReady({ ...other, ready: solver.ready }, ids);
  });

  test('the lease ends ten minutes before the authorization, and after a day at the latest', async () => {
    const stage = await createStage();
    const clock = { ...systemClock, now: () => 1_000_000_000_000 };
    const solver = createDns01Solver(stage.agent(), { clock });
    const now = clock.now();
    const minute = 60_000;
    await solver.present(
      [
        challenge('example.test', 'a', { expiresAt: now + 60 * minute }),
        challenge('example.test', 'b', { expiresAt: now + 7 * 24 * 60 * minute }),
        challenge('example.test', 'c', { expiresAt: now + minute }),
      ],
      never,
    );
    const leases = (await stage.memory.journal.all()).map(({ leaseUntil }) => (leaseUntil - now) / minute);
    expect(leases).toEqual([50, 24 * 60, 10]);
  });

  test('an IP address is refused before anything is written', async () => {
    const stage = await createStage();
    const solver = createDns01Solver(stage.agent(), { clock: systemClock });
    const wanted = challenge('192.0.2.1', 'one', { identifier: { type: 'ip', value: '192.0.2.1' } });
    expect(await errorOf(solver.present([wanted], never))).toMatchObject({ code: 'order.noChallenge' });
    expect(await stage.memory.journal.all()).toEqual([]);
  });
});
