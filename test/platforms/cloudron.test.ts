import { describe, expect, test } from 'vitest';
import { domainsAdd } from '../../src/operations/domains.ts';
import { renewAll } from '../../src/operations/renew-all.ts';
import { bench, day, start, useBench } from '../operations/fixture.ts';

useBench();

const lineage = (id: string) => bench.needs.certificates.lineage(id);

describe('what Cloudron does with certificates:', () => {
  test('C1 each domain has its own CA and its own kind of certificate, and a bad combination is refused', async () => {
    await bench.run(domainsAdd, {
      name: 'a.com',
      issuers: ['zerossl'],
      mode: 'individual',
      hosts: ['w.a.com'],
    });
    await bench.run(domainsAdd, { name: 'b.com', dnsAccount: 'route53', mode: 'wildcard' });
    expect(await lineage('a.com/w.a.com/ec')).toMatchObject({ wanted: { issuers: ['zerossl'] } });
    expect(await lineage('b.com/*.b.com/ec')).toMatchObject({ wanted: { names: ['b.com', '*.b.com'] } });
    await expect(
      bench.run(domainsAdd, { name: 'c.com', mode: 'wildcard', challenge: 'http-01' }),
    ).rejects.toMatchObject({ code: 'command.invalid' });
  });

  test('C3 a zone that can be written means dns-01, one kept by hand http-01, and no wildcard goes without', async () => {
    await bench.run(domainsAdd, {
      name: 'a.com',
      dnsAccount: 'route53',
      mode: 'individual',
      hosts: ['w.a.com'],
    });
    await bench.run(domainsAdd, { name: 'b.com', dnsAccount: 'byhand', hosts: ['w.b.com'] });
    expect(await lineage('a.com/w.a.com/ec')).toMatchObject({ wanted: { challenge: 'dns-01' } });
    expect(await lineage('b.com/w.b.com/ec')).toMatchObject({ wanted: { challenge: 'http-01' } });
    for (const dnsAccount of ['byhand', undefined])
      await expect(
        bench.run(domainsAdd, { name: 'c.com', mode: 'wildcard', dnsAccount }),
      ).rejects.toMatchObject({ code: 'command.invalid' });
  });

  test('C8 "renew all" renews what is due within thirty days, of one domain or all, as a task; force is apart', async () => {
    await bench.run(domainsAdd, { name: 'a.com', mode: 'individual', hosts: ['x.a.com', 'y.a.com'] });
    await bench.run(domainsAdd, { name: 'b.com', mode: 'individual', hosts: ['x.b.com'] });
    for (const id of ['a.com/x.a.com/ec', 'a.com/y.a.com/ec', 'b.com/x.b.com/ec']) {
      const notAfter = start + (id.includes('/x.') ? 20 : 80) * day;
      await bench.seen(id, await bench.hold(id, notAfter));
      await bench.remember(id, { renewAt: notAfter - 30 * day });
    }
    const plan = async (input: object) =>
      (await bench.run(renewAll, { dryRun: true, ...input })).plan?.map((step) => step.lineage).toSorted();
    expect(await plan({})).toEqual(['a.com/x.a.com/ec', 'b.com/x.b.com/ec']);
    expect(await plan({ domain: 'a.com' })).toEqual(['a.com/x.a.com/ec']);
    expect(await plan({ domain: 'a.com', force: true })).toHaveLength(2);
    expect(await bench.run(renewAll, { domain: 'a.com' })).toMatchObject({
      taskId: expect.stringMatching(/^task-/),
      lineages: 1,
    });
  });
});
