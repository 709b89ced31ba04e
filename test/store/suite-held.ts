import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { freshRenewal } from '../../src/core/records.ts';
import type { Issuance } from '../../src/core/types.ts';
import type { Store } from '../../src/store/index.ts';
import { type Agents, raw } from './agents.ts';
import { bundle, domain, host, issuance, lineage } from './samples.ts';

/** Wishes, certificates and what is remembered about them. */
export function suiteHeld(agents: Agents): void {
  test('domains, hosts and groups come back as they were put, by name', async () => {
    const group = {
      domain: 'b.test',
      label: 'shop',
      names: ['x.b.test'],
      origin: { kind: 'runtime' },
    } as const;
    await agents.store.changes.commit({
      putDomains: [domain('b.test'), domain('a.test', { origin: { kind: 'file', line: 7 } })],
      putHosts: [host('www.b.test', 'b.test'), host('api.b.test', 'b.test')],
      putGroups: [group],
    });
    expect((await agents.other.wishes.domains()).map((one) => one.name)).toEqual(['a.test', 'b.test']);
    expect(await agents.other.wishes.domain('a.test')).toEqual(
      domain('a.test', { origin: { kind: 'file', line: 7 } }),
    );
    expect((await agents.other.wishes.hosts('b.test')).map((one) => one.name)).toEqual([
      'api.b.test',
      'www.b.test',
    ]);
    expect(await agents.other.wishes.host('www.b.test')).toEqual(host('www.b.test', 'b.test'));
    expect(await agents.other.wishes.host('none.b.test')).toBeUndefined();
    expect(await agents.other.wishes.groups('b.test')).toEqual([group]);

    await agents.store.changes.commit({
      removeHosts: [host('api.b.test', 'b.test')],
      removeDomains: ['a.test'],
    });
    expect(await agents.other.wishes.domain('a.test')).toBeUndefined();
    expect((await agents.other.wishes.hosts('b.test')).map((one) => one.name)).toEqual(['www.b.test']);
  });

  test('a name belongs to the longest domain that covers it', async () => {
    await agents.store.changes.commit({ putDomains: [domain('c.test'), domain('deep.c.test')] });
    const owner = async (of: string) => (await agents.store.wishes.domainOf(of))?.name;
    expect(await owner('c.test')).toBe('c.test');
    expect(await owner('www.c.test')).toBe('c.test');
    expect(await owner('a.deep.c.test')).toBe('deep.c.test');
    expect(await owner('*.deep.c.test')).toBe('deep.c.test');
    expect(await owner('xc.test')).toBeUndefined();
  });

  test('a new generation becomes the current one, and its bundle comes back whole', async () => {
    const id = 'gen.test/www/ec';
    const first = bundle(id, 1, [randomBytes(1_200), randomBytes(700)]);
    await agents.store.changes.commit({
      putLineages: [lineage(id, 'gen.test')],
      generation: first,
      durable: true,
    });
    expect(await agents.other.certificates.lineage(id)).toEqual({
      ...lineage(id, 'gen.test'),
      current: 1,
      generations: [1],
    });
    expect(await agents.other.certificates.certificate(id)).toEqual(first.certificate);
    const read = await agents.other.certificates.bundle(id);
    expect(read?.certificate).toEqual(first.certificate);
    expect(Buffer.from(read?.leafDer ?? [])).toEqual(first.leafDer);
    expect(read?.chainDer.map((der) => Buffer.from(der))).toEqual(first.chainDer);
    expect(read?.privateKey.reveal()).toEqual(first.privateKey.reveal());
  });

  test('the last three generations stay, and an intermediate is stored once and goes with its last user', async () => {
    const [shared, lonely] = [randomBytes(1_000), randomBytes(1_000)];
    const id = 'trim.test/www/ec';
    const count = async () => (await raw(agents.store, (client) => client.hkeys('{acme}:chains'))).length;
    const before = await count();
    for (const generation of [1, 2, 3, 4]) {
      const chain = generation === 1 ? [lonely] : [shared];
      await agents.store.changes.commit({
        putLineages: [lineage(id, 'trim.test')],
        generation: bundle(id, generation, chain),
      });
      if (generation === 3) expect(await count()).toBe(before + 2);
    }
    expect(await count()).toBe(before + 1);
    const held = await agents.store.certificates.lineage(id);
    expect(held).toMatchObject({ current: 4, generations: [2, 3, 4] });
    expect(await agents.store.certificates.certificate(id, 1)).toBeUndefined();
    expect((await agents.store.certificates.certificate(id, 2))?.serial).toBe('02');
    expect((await agents.store.certificates.bundle(id, 3))?.chainDer.map((der) => Buffer.from(der))).toEqual([
      shared,
    ]);

    await agents.store.changes.commit({ removeLineages: [id] });
    expect(await count()).toBe(before);
    expect(await agents.store.certificates.lineages('trim.test')).toEqual([]);
  });

  test('of two writers of the same next generation one is refused', async () => {
    const id = 'race.test/www/ec';
    const write = (by: Store) => by.changes.commit({ putLineages: [lineage(id)], generation: bundle(id, 1) });
    const results = await Promise.allSettled([write(agents.store), write(agents.other)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'store.conflict' },
    });
  });

  test('current certificates of many lineages come in the order asked', async () => {
    const ids = ['many.test/a/ec', 'many.test/none/ec', 'many.test/b/ec'];
    for (const id of ids.filter((one) => !one.includes('none')))
      await agents.store.changes.commit({
        putLineages: [lineage(id, 'many.test')],
        generation: bundle(id, 1),
      });
    const found = await agents.other.certificates.currents(ids);
    expect(found.map((one) => one?.lineage)).toEqual([ids[0], undefined, ids[2]]);
    expect((await agents.other.certificates.lineages('many.test')).map(({ id }) => id)).toEqual([
      ids[0],
      ids[2],
    ]);
    expect((await agents.other.certificates.lineages()).length).toBeGreaterThanOrEqual(2);
  });

  test('a renewal state is written only over the version that was read', async () => {
    const id = 'version.test/www/ec';
    const read = await agents.store.renewals.get(id);
    expect(read).toEqual(freshRenewal(id));
    const write = (by: Store, failures: number) =>
      by.changes.commit({ putRenewals: [{ ...read, failures }] });
    const results = await Promise.allSettled([write(agents.store, 1), write(agents.other, 2)]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const after = await agents.store.renewals.get(id);
    expect(after.version).toBe(1);
    await agents.store.changes.commit({ putRenewals: [{ ...after, failures: 9 }] });
    expect(await agents.other.renewals.many(['version.test/none/ec', id])).toEqual([
      freshRenewal('version.test/none/ec'),
      { ...after, failures: 9, version: 2 },
    ]);
  });

  test('a refused change writes nothing of what came with it', async () => {
    const id = 'whole.test/www/ec';
    await agents.store.changes.commit({ putRenewals: [freshRenewal(id)] });
    const change = {
      putRenewals: [freshRenewal(id)],
      putDomains: [domain('whole.test')],
      due: [{ job: 'issue', id, at: 1 }],
    } as const;
    await expect(agents.store.changes.commit(change)).rejects.toMatchObject({
      code: 'store.conflict',
    });
    expect(await agents.store.wishes.domain('whole.test')).toBeUndefined();
    expect(await agents.store.due.at('issue', id)).toBeUndefined();
  });

  test('deployments are kept by lineage and version', async () => {
    const deployment = { version: 0, target: 'web', lineage: 'dep.test/www/ec', failures: 0 };
    await agents.store.changes.commit({ putDeployments: [deployment] });
    expect(await agents.other.deployments.get('web', 'dep.test/www/ec')).toEqual({
      ...deployment,
      version: 1,
    });
    await expect(agents.store.changes.commit({ putDeployments: [deployment] })).rejects.toMatchObject({
      code: 'store.conflict',
    });
    await agents.store.changes.commit({ putDeployments: [{ ...deployment, target: 'mail' }] });
    expect((await agents.other.deployments.of('dep.test/www/ec')).map(({ target }) => target).sort()).toEqual(
      ['mail', 'web'],
    );
    await agents.store.changes.commit({ removeDeployments: [deployment] });
    expect(await agents.other.deployments.get('web', 'dep.test/www/ec')).toBeUndefined();
  });

  test('deployments of purged lineages are found without their lineages, until they are removed', async () => {
    const lineage = 'left.test/www/ec';
    const leaving = { domain: 'left.test', label: 'www', keyClass: 'ec' as const };
    const web = { version: 0, target: 'web', lineage, failures: 0, leaving };
    const own = async () =>
      (await agents.other.deployments.leaving()).filter((one) => one.lineage === lineage);
    await agents.store.changes.commit({ removeLineages: [lineage], putDeployments: [web] });
    expect(await own()).toEqual([{ ...web, version: 1 }]);
    await agents.store.changes.commit({ putDeployments: [{ ...web, version: 1, leaving: undefined }] });
    expect(await own()).toEqual([]);
    await agents.store.changes.commit({ putDeployments: [{ ...web, version: 2 }] });
    await agents.store.changes.commit({ removeDeployments: [{ ...web, version: 3 }] });
    expect(await own()).toEqual([]);
  });

  test('an issuance comes back with its key, and can be dropped', async () => {
    const begun: Issuance = {
      ...issuance('iss.test/www/ec'),
      orderUrl: 'https://ca.test/order/1',
      presented: {
        'https://ca.test/authz/1': { type: 'http-01', id: 't', challengeUrl: 'https://ca.test/c/1' },
      },
    };
    await agents.store.changes.commit({ putIssuance: begun, durable: true });
    const read = await agents.other.issuances.get('iss.test/www/ec');
    expect(read).toMatchObject({ orderUrl: begun.orderUrl, presented: begun.presented });
    expect(read?.privateKey.reveal()).toEqual(begun.privateKey.reveal());
    expect(Buffer.from(read?.csrDer ?? [])).toEqual(begun.csrDer);
    expect(await agents.other.issuances.all()).toContain('iss.test/www/ec');
    await agents.store.changes.commit({ dropIssuance: 'iss.test/www/ec' });
    expect(await agents.other.issuances.get('iss.test/www/ec')).toBeUndefined();
  });

  test('removing a lineage leaves nothing of it', async () => {
    const id = 'gone.test/www/ec';
    await agents.store.changes.commit({
      putLineages: [lineage(id, 'gone.test')],
      generation: bundle(id, 1),
      putRenewals: [freshRenewal(id)],
      putIssuance: issuance(id),
      putDeployments: [{ version: 0, target: 'web', lineage: id, failures: 0 }],
      due: [
        { job: 'issue', id, at: 1 },
        { job: 'deploy', id: `web|${id}`, at: 1 },
      ],
    });
    await agents.store.changes.commit({ removeLineages: [id] });
    expect(await agents.store.certificates.lineage(id)).toBeUndefined();
    expect(await agents.store.certificates.bundle(id)).toBeUndefined();
    expect(await agents.store.renewals.get(id)).toEqual(freshRenewal(id));
    expect(await agents.store.issuances.get(id)).toBeUndefined();
    expect(await agents.store.deployments.of(id)).toEqual([]);
    expect(await agents.store.due.at('issue', id)).toBeUndefined();
    expect(await agents.store.due.at('deploy', `web|${id}`)).toBeUndefined();
  });
}
