import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import { editRenewal } from '../../src/core/records.ts';
import { purgeLeftovers } from '../../src/core/wishes/purge.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { certsPurge, type Purged } from '../../src/operations/certs-purge.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsAdd, hostsRemove } from '../../src/operations/hosts.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

const lineage = (host: string) => `example.com/${host}.example.com/ec`;
const [old, young, used] = ['old', 'young', 'used'].map(lineage) as [string, string, string];
const purge = (input: object): Promise<Purged> => bench.run(certsPurge, input, { requestedBy: 'ann' });
const held = async () => (await bench.needs.certificates.lineages()).map(({ id }) => id).toSorted();

/** Three hosts with certificates: one still used, two removed, of which one expired half a year ago. */
async function given(): Promise<void> {
  const hosts = ['old', 'young', 'used'].map((name) => `${name}.example.com`);
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts });
  await bench.hold(old, start + 20 * day);
  await bench.hold(young, start + 190 * day);
  await bench.hold(used, start + 10 * day);
  await bench.run(hostsRemove, { names: hosts.slice(0, 2) });
  bench.now = start + 200 * day;
}

describe('certificates that nobody asks for', () => {
  it('are deleted with their keys, by name', async () => {
    await given();
    expect(await purge({ ids: [young] })).toMatchObject({ purged: [{ id: young }], kept: [] });
    expect(await held()).toEqual([old, used]);
    expect(await bench.needs.certificates.bundle(young)).toBeUndefined();
    expect(await bench.events('certificate.purged')).toMatchObject([
      { lineage: young, facts: { requestedBy: 'ann' } },
    ]);
  });

  it('are deleted by the time since their expiry; a dry run changes nothing', async () => {
    await given();
    const dry = await purge({ expiredFor: '90d', dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, purged: [{ id: old }], kept: [] });
    expect(await held()).toEqual([old, used, young]);
    expect(await purge({ expiredFor: '90d' })).toMatchObject({ purged: [{ id: old }] });
    expect(await purge({ expiredFor: '90d' })).toMatchObject({ purged: [] });
    expect(await held()).toEqual([used, young]);
  });

  it('go with their self-signed stand-in, once no other key class of the policy is left', async () => {
    await given();
    const policy = 'example.com/old.example.com';
    const own = await bench.needs.certificates.lineage(old);
    if (own === undefined) throw new Error('nothing is held');
    const more = [
      { ...own, id: `${policy}/rsa`, generations: [], current: undefined },
      {
        ...own,
        id: `${policy}/fallback`,
        source: 'self-signed' as const,
        generations: [],
        current: undefined,
      },
    ];
    await bench.needs.changes.commit({ putLineages: more });
    await purge({ ids: [old] });
    expect(await held()).toContain(`${policy}/fallback`);
    await purge({ ids: [`${policy}/rsa`] });
    expect(await held()).toEqual([used, young]);
  });

  it('are kept by themselves for half a year after their expiry, or as long as the file says', async () => {
    await given();
    bench.now = start + 199 * day;
    await purgeLeftovers(undefined, bench.needs);
    expect(await held()).toEqual([old, used, young]);
    bench.now = start + 201 * day;
    await purgeLeftovers(undefined, bench.needs);
    expect(await held()).toEqual([used, young]);
    await purgeLeftovers(10 * day, bench.needs);
    expect(await held()).toEqual([used]);
  });

  it('go though one before them cannot', async () => {
    await given();
    bench.now = start + 201 * day;
    const { certificates } = bench.needs;
    const broken: typeof certificates = {
      ...certificates,
      lineage: async (id) => {
        if (id === old) throw new AgentError('store.unavailable', 'no answer');
        return certificates.lineage(id);
      },
    };
    const going = purgeLeftovers(10 * day, { ...bench.needs, certificates: broken });
    await expect(going).rejects.toMatchObject({ message: 'no answer' });
    expect(await held()).toEqual([old, used]);
  });
});

describe('a certificate', () => {
  it('that is asked for is never deleted, expired or not', async () => {
    await given();
    expect(await purge({ ids: [used], expiredFor: '1d' })).toMatchObject({
      purged: [{ id: old }, { id: young }],
      kept: [{ id: used, reason: expect.stringContaining('asks for it') }],
    });
    expect(await held()).toEqual([used]);
  });

  it('whose host comes back at that moment stays', async () => {
    await given();
    const { locks } = bench.needs;
    let isBack = false;
    const acquire: typeof locks.acquire = async (name, ttlMs, signal) => {
      if (!isBack) {
        isBack = true;
        await bench.run(hostsAdd, { names: ['young.example.com'] });
      }
      return locks.acquire(name, ttlMs, signal);
    };
    const needs = { ...bench.needs, locks: { ...locks, acquire } };
    const answer = await certsPurge.run({ ids: [young] }, needs, {});
    expect(answer.kept).toMatchObject([{ id: young }]);
    expect(await held()).toContain(young);
  });

  it('that is being worked on, or is to be revoked, stays', async () => {
    await given();
    const lock = await bench.needs.locks.tryAcquire(`issue:${old}`, 10_000);
    await editRenewal(young, bench.needs, (state) => ({ putRenewals: [{ ...state, revoking: [] }] }));
    expect((await purge({ ids: [old, young] })).kept.map(({ reason }) => reason)).toEqual([
      'it is being worked on',
      'it is still to be revoked',
    ]);
    await lock?.release();
  });

  it('that was deleted is ordered anew when its host comes back', async () => {
    await given();
    await purge({ ids: [young] });
    await bench.run(hostsAdd, { names: ['young.example.com'] });
    expect(await bench.needs.certificates.lineage(young)).toMatchObject({ generations: [] });
    expect(await bench.needs.due.at('issue', young)).toBe(bench.now);
  });

  it('must be named by an id that is there, or by an age', async () => {
    await given();
    await expect(purge({ ids: ['example.com/nobody/ec'] })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    await expect(purge({})).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringMatching(/^expiredFor: say how long/),
    });
  });

  it('of a domain that was removed can be deleted too', async () => {
    await given();
    await changeWishes('example.com', () => ({ removeDomain: true }), bench.needs);
    expect(await purge({ ids: [used] })).toMatchObject({ purged: [{ id: used }] });
  });
});
