import { beforeEach, describe, expect, it } from 'vitest';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { type RevocationStarted, revoke } from '../../src/operations/revoke.ts';
import { bench, day, start, useBench } from './fixture.ts';

useBench();

const www = 'example.com/www.example.com/ec';

const run = (input: object, caller = {}): Promise<RevocationStarted> => bench.run(revoke, input, caller);
const stateOf = (id: string) => bench.needs.renewals.get(id);

beforeEach(async () => {
  const hosts = ['www.example.com'];
  await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', hosts });
});

describe('revoke', () => {
  it('writes down what to revoke, with its certificate, and wakes the work', async () => {
    const { serial } = await bench.hold(www, start + 60 * day);
    await bench.remember(www, { failures: 3, retryAt: start + day });
    const { taskId, revoking } = await run({ target: 'www.example.com' }, { requestedBy: 'ann' });
    expect(revoking).toEqual([{ lineage: www, generation: 1, serial }]);
    const entry = { serial, reason: 'unspecified', task: taskId, requestedBy: 'ann', issuer: 'letsencrypt' };
    expect(await stateOf(www)).toMatchObject({ revoking: [entry] });
    expect((await stateOf(www)).retryAt).toBeUndefined();
    expect((await stateOf(www)).revoking?.[0]?.leaf).not.toBe('');
    expect(await bench.needs.due.at('issue', www)).toBe(start);
    expect(bench.woken).toContainEqual({ job: 'issue', ids: [www] });
    expect(await bench.events('command.done')).toMatchObject([{ facts: { operation: 'revoke' } }]);
  });

  it.each(['cACompromise', 'certificateHold', '1', ''])(
    'refuses the reason "%s" with the list of those that CAs take',
    async (reason) => {
      await bench.hold(www, start + 60 * day);
      await expect(async () => run({ target: www, reason })).rejects.toThrow(
        /unspecified or keyCompromise or superseded or cessationOfOperation/,
      );
    },
  );

  it('means one certificate, that of the name itself', async () => {
    const more = { mode: 'wildcard', dnsAccount: 'route53', keyTypes: ['p256', 'rsa2048'] };
    await bench.run(domainsAdd, { name: 'example.net', ...more });
    await expect(run({ target: 'example.net' })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining('example.net/*.example.net/ec, example.net/*.example.net/rsa'),
    });
    await bench.run(domainsAdd, { name: 'example.org', mode: 'wildcard', dnsAccount: 'route53' });
    await expect(run({ target: 'a.example.org' })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining('example.org/*.example.org/ec'),
    });
  });

  it('refuses what cannot be revoked, and says why', async () => {
    await expect(run({ target: www })).rejects.toMatchObject({ code: 'command.notFound' });
    await bench.hold(www, start + 60 * day);
    await expect(run({ target: www, generation: 7 })).rejects.toThrow('generations held: 1');
    await bench.hold(www, start + 60 * day, { issuer: 'formerly' });
    await expect(run({ target: www })).rejects.toThrow(/"formerly".*letsencrypt, zerossl/);
    await bench.hold(www, start - day);
    await expect(run({ target: www })).rejects.toThrow('expired');
    await bench.hold(www, start + 60 * day);
    await bench.remember(www, { revokedAt: start - day });
    await expect(run({ target: www })).rejects.toThrow('is revoked since');
    await expect(run({ target: www, generation: 1 })).rejects.toThrow('generations held: 2, 3, 4');
  });

  it('refuses self-signed and uploaded certificates, which no CA of ours issued', async () => {
    const lineage = await bench.needs.certificates.lineage(www);
    if (lineage === undefined) throw new Error('nothing is wanted');
    const others = [
      { ...lineage, id: 'example.com/www.example.com/fallback', source: 'self-signed' as const },
      { ...lineage, id: 'cert-1', source: 'upload' as const, policy: undefined },
    ];
    await bench.needs.changes.commit({ putLineages: others });
    for (const { id } of others)
      await expect(run({ target: id })).rejects.toMatchObject({ code: 'command.conflict' });
  });

  it('takes what nobody asks for any more by its id', async () => {
    await bench.hold(www, start + 60 * day);
    await changeWishes('example.com', () => ({ removeDomain: true }), bench.needs);
    await run({ target: www });
    expect(await bench.needs.due.at('issue', www)).toBe(start);
  });
});
