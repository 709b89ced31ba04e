import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { base32 } from '../../src/challenge/base32.ts';
import { createDnsAccount01Solver } from '../../src/challenge/dns01.ts';
import { createDnsPersist01Solver } from '../../src/challenge/dnspersist01.ts';
import { systemClock } from '../../src/clock.ts';
import { forever, releasePermanent } from '../../src/core/order/permanent-records.ts';
import type { ChallengeToSolve } from '../../src/core/ports.ts';
import type { Lineage } from '../../src/core/types.ts';
import { createStage, never, until, untilReady } from '../dns/stage.ts';

const lineage = 'example.test/*.example.test/ec';
const day = 86_400_000;

function challenge(more: Partial<ChallengeToSolve> = {}): ChallengeToSolve {
  return {
    lineage,
    domain: 'example.test',
    identifier: { type: 'dns', value: 'example.test' },
    wildcard: false,
    names: ['example.test'],
    token: 'token',
    keyAuthorization: 'token.thumbprint',
    accountUrl: 'https://example.com/acme/acct/ExampleAccount',
    dnsAccount: 'main',
    expiresAt: Date.now() + 3_600_000,
    ...more,
  };
}

const persist: Partial<ChallengeToSolve> = {
  token: '',
  keyAuthorization: '',
  accountUrl: 'https://ca.test/account/7',
  issuerDomains: ['ca.test', 'ca.example'],
};

test('base32 is that of RFC 4648, without padding', () => {
  const texts = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'];
  expect(texts.map((text) => base32(Buffer.from(text)))).toEqual([
    ...['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'],
  ]);
});

describe('dns-account-01', () => {
  test('is the digest of dns-01 at a name of the account, and goes with its order', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDnsAccount01Solver(dns, { clock: systemClock });
    const ids = await solver.present([challenge()], never);
    await untilReady(dns, ids);
    // The account URL and its label are the example of the draft.
    const owner = '_ujmmovf2vn55tgye._acme-challenge.example.test';
    const digest = createHash('sha256').update('token.thumbprint').digest('base64url');
    expect(solver.type).toBe('dns-account-01');
    expect(stage.zones.txt(owner)).toEqual([digest]);
    expect(stage.zones.txt('_acme-challenge.example.test')).toEqual([]);
    await solver.cleanUp(ids, never);
    await until(() => stage.zones.txt(owner).length === 0);
  });
});

describe('dns-persist-01', () => {
  const owner = '_validation-persist.example.test';

  test('is one record for a name and its wildcard, which no order takes away', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDnsPersist01Solver(dns, { clock: systemClock });
    const names = ['example.test', '*.example.test'];
    const both = [challenge({ ...persist, names }), challenge({ ...persist, names, wildcard: true })];
    const ids = await solver.present(both, never);
    expect(ids[0]).toBe(ids[1]);
    await untilReady(dns, ids);
    const value = 'ca.test; accounturi=https://ca.test/account/7; policy=wildcard';
    expect(stage.zones.txt(owner)).toEqual([value]);

    await solver.cleanUp(ids, never);
    await dns.recover(never);
    expect(await solver.present(both, never)).toEqual(ids);
    await untilReady(dns, ids);
    expect(stage.zones.txt(owner)).toEqual([value]);
    expect(await stage.memory.journal.all()).toMatchObject([{ state: 'added', leaseUntil: forever }]);
  });

  test('is the same where the CA holds the wildcard for proven, and asks for the name alone', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDnsPersist01Solver(dns, { clock: systemClock });
    const names = ['example.test', '*.example.test'];
    await untilReady(dns, await solver.present([challenge({ ...persist, names, wildcard: true })], never));
    await untilReady(dns, await solver.present([challenge({ ...persist, names })], never));
    expect(stage.zones.txt(owner)).toEqual([
      'ca.test; accounturi=https://ca.test/account/7; policy=wildcard',
    ]);
  });

  test('without a wildcard does not allow one; another CA has a record of its own beside it', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const solver = createDnsPersist01Solver(dns, { clock: systemClock });
    const other = challenge({
      ...persist,
      issuerDomains: ['other.test'],
      accountUrl: 'https://other.test/1',
    });
    await untilReady(dns, await solver.present([challenge(persist)], never));
    await untilReady(dns, await solver.present([other], never));
    expect(stage.zones.txt(owner)).toEqual([
      'ca.test; accounturi=https://ca.test/account/7',
      'other.test; accounturi=https://other.test/1',
    ]);
  });

  test('with an end has it in its record, which orders share until half of its time is over', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    let now = Date.now();
    const clock = { ...systemClock, now: () => now };
    const order = async () =>
      untilReady(
        dns,
        await createDnsPersist01Solver(dns, { clock, permissionMs: 90 * day }).present(
          [challenge(persist)],
          never,
        ),
      );
    const ends = () =>
      stage.zones.txt(owner).map((value) => Number(/; persistUntil=(\d+)$/.exec(value)?.[1]) * 1000);
    const upkeep = async () => {
      const certificates = { lineages: async () => [aLineage({})] };
      const settings = () => ({ permissionMs: 90 * day });
      await releasePermanent({ journal: stage.memory.journal, certificates, clock, settings });
      // Journal and engine have the real clock.
      const entries = await stage.memory.journal.all();
      await stage.memory.journal.update(
        entries.map((entry) => ({ ...entry, leaseUntil: entry.leaseUntil === forever ? forever : 0 })),
      );
      await dns.recover(never);
    };
    await order();
    const [first = 0] = ends();
    expect(first - now).toBeGreaterThan(45 * day);
    expect(first - now).toBeLessThanOrEqual(90 * day);
    now = first - 45 * day - 1000;
    await order();
    expect(ends()).toEqual([first]);
    now = first - 45 * day;
    await order();
    expect(ends()).toEqual([first, first + 45 * day]);
    now = first - 1000;
    await upkeep();
    expect(ends()).toEqual([first, first + 45 * day]);
    now = first;
    await upkeep();
    expect(ends()).toEqual([first + 45 * day]);
  });

  test('without an end goes once the file wants one', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    await untilReady(
      dns,
      await createDnsPersist01Solver(dns, { clock: systemClock }).present([challenge(persist)], never),
    );
    const certificates = { lineages: async () => [aLineage({})] };
    const needs = { journal: stage.memory.journal, certificates, clock: systemClock };
    await releasePermanent({ ...needs, settings: () => ({}) });
    expect((await dns.recover(never)).removed).toBe(0);
    await releasePermanent({ ...needs, settings: () => ({ permissionMs: day }) });
    expect((await dns.recover(never)).removed).toBe(1);
  });

  test('cannot prove an address', async () => {
    const solver = createDnsPersist01Solver((await createStage()).agent(), { clock: systemClock });
    const address = challenge({ ...persist, identifier: { type: 'ip', value: '192.0.2.1' } });
    await expect(solver.present([address], never)).rejects.toMatchObject({ code: 'order.noChallenge' });
  });

  test('stays while its lineage is wanted and proven so, and goes with the next upkeep after that', async () => {
    const stage = await createStage();
    const dns = stage.agent();
    const [id = ''] = await createDnsPersist01Solver(dns, { clock: systemClock }).present(
      [challenge(persist)],
      never,
    );
    await untilReady(dns, [id]);
    const upkeep = async (change: Partial<Lineage> | undefined) => {
      const held = change === undefined ? [] : [aLineage(change)];
      const certificates = { lineages: async () => held };
      await releasePermanent({
        journal: stage.memory.journal,
        certificates,
        clock: systemClock,
        settings: () => ({}),
      });
      return (await dns.recover(never)).removed;
    };
    expect(await upkeep({})).toBe(0);
    expect(await stage.zones.txt(owner)).toHaveLength(1);
    expect(await upkeep({ unwantedSince: 1 })).toBe(1);
    expect(await stage.zones.txt(owner)).toHaveLength(0);

    const present = () =>
      createDnsPersist01Solver(dns, { clock: systemClock }).present([challenge(persist)], never);
    await untilReady(dns, await present());
    const another = { ...aLineage({}).wanted, challenge: 'dns-01' as const };
    expect(await upkeep({ wanted: another })).toBe(1);
    await untilReady(dns, await present());
    expect(await upkeep(undefined)).toBe(1);
    expect(await stage.memory.journal.all()).toEqual([]);
  });
});

function aLineage(change: Partial<Lineage>): Lineage {
  return {
    id: lineage,
    source: 'acme',
    domain: 'example.test',
    label: '*.example.test',
    wanted: { names: ['example.test'], keyType: 'p256', issuers: ['ca'], challenge: 'dns-persist-01' },
    createdAt: 0,
    generations: [],
    ...change,
  };
}
