import { describe, expect, test } from 'vitest';
import { bind, unbind } from '../../src/operations/bind.ts';
import { bindingsList } from '../../src/operations/bindings.ts';
import { certsList, certsShow } from '../../src/operations/certs.ts';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { domainsAdd, domainsRemove } from '../../src/operations/domains.ts';
import { hostsList } from '../../src/operations/hosts.ts';
import { bench, day, start, useBench } from '../operations/fixture.ts';
import { chainPem, issued, upload } from '../operations/uploads-kit.ts';
import { keyPem } from '../support/forge.ts';
import { handIn, intermediate } from '../x509/upload/pki.ts';

useBench();

const custom = (name = 'example.com') => bench.run(domainsAdd, { name, mode: 'custom' });

describe('what Deis does with certificates:', () => {
  test('D1 one is added with key, chain and an optional name, and its secret parts never come back', async () => {
    await custom();
    const one = issued(['www.example.com', 'shop.example.com']);
    const parts = handIn(one.pem, { key: keyPem(one.key), chain: chainPem });
    const { id } = await upload(parts, { name: 'shop.example.com' });
    const shown = await bench.run(certsShow, { id });
    expect(shown).toMatchObject({
      lineage: { label: 'shop.example.com' },
      certificate: { source: 'upload' },
    });
    const all = JSON.stringify([shown, await bench.run(certsList, {}), await bench.needs.events.recent(50)]);
    expect(all).not.toMatch(/PRIVATE KEY|privateKey|BEGIN/);
  });

  test('D2 the list has names and expiries, filtered by domain and paged by a limit', async () => {
    await custom();
    await custom('example.org');
    for (const name of ['a', 'b', 'c']) await upload(issued([`${name}.example.com`]));
    await upload(issued(['d.example.org']));
    const all = (await bench.run(certsList, { domain: 'example.com' })).certificates;
    expect(all).toHaveLength(3);
    expect(all[0]).toMatchObject({ expiresAt: start + 90 * day });
    const page = await bench.run(certsList, { domain: 'example.com', limit: 2 });
    expect(page).toMatchObject({ certificates: all.slice(0, 2), hasMore: true });
    const rest = await bench.run(certsList, {
      domain: 'example.com',
      limit: 2,
      after: page.certificates[1]?.id,
    });
    expect(rest).toMatchObject({ certificates: all.slice(2), hasMore: undefined });
  });

  test('D3 one upload with several names serves all of them, without a copy for each', async () => {
    await bench.run(domainsAdd, {
      name: 'example.com',
      mode: 'custom',
      hosts: ['a.example.com', 'b.example.com'],
    });
    const { id } = await upload(issued(['a.example.com', 'b.example.com']));
    expect((await bench.run(hostsList, {})).hosts.map(({ certificate }) => certificate?.id)).toEqual([
      id,
      id,
    ]);
    expect(await bench.needs.certificates.lineages('example.com')).toHaveLength(1);
  });

  test('D4 the leaf comes first whatever the order of the bundle, and the chain is delivered whole', async () => {
    await custom();
    const one = issued(['www.example.com']);
    const { id, notes } = await upload(handIn(chainPem + one.pem + keyPem(one.key)));
    const bundle = await bench.needs.certificates.bundle(id);
    expect(Buffer.from(bundle?.leafDer ?? [])).toEqual(one.der);
    expect(bundle?.chainDer.map((der) => Buffer.from(der))).toEqual([intermediate.der]);
    expect(notes).toContain('The chain was put in order.');
  });

  test('D5 bad PEM is refused with the reason, and what is unknown is not found', async () => {
    await custom();
    await expect(upload(handIn('-----BEGIN CERTIFICATE-----\nMII'))).rejects.toMatchObject({
      code: 'command.invalid',
      message: 'the upload is cut off: the block "CERTIFICATE" has no line "END CERTIFICATE"',
    });
    for (const attempt of [bench.run(certsShow, { id: 'cert-x' }), bench.run(certsRemove, { id: 'cert-x' })])
      await expect(attempt).rejects.toMatchObject({ code: 'command.notFound' });
  });

  test('D7 one certificate is attached to many names, an occupied name is refused, and a removed domain detaches', async () => {
    await custom();
    const [first, second] = [
      await upload(issued(['*.example.com', 'example.com'])),
      await upload(issued(['a.example.com'])),
    ];
    for (const name of ['a.example.com', 'b.example.com'])
      await bench.run(bind, { name, certificates: [first.id] });
    await expect(bench.run(bind, { name: 'a.example.com', certificates: [second.id] })).rejects.toMatchObject(
      {
        code: 'command.conflict',
      },
    );
    await bench.run(unbind, { names: ['a.example.com'] });
    await bench.run(bind, { name: 'a.example.com', certificates: [second.id] });
    expect((await bench.run(bindingsList, {})).bindings.map((one) => one.certificates)).toEqual([
      [second.id],
      [first.id],
    ]);
    await bench.run(domainsRemove, { name: 'example.com', force: true });
    expect((await bench.run(bindingsList, {})).bindings).toEqual([]);
    expect(await bench.needs.certificates.certificate(first.id)).toBeDefined();
  });

  test("D8 a name's own certificate comes before the wildcard, and no other tenant's is ever shown", async () => {
    await bench.run(domainsAdd, {
      name: 'example.com',
      mode: 'custom',
      hosts: ['own.example.com', 'other.example.com'],
    });
    await bench.run(domainsAdd, { name: 'tenant.org', mode: 'custom', hosts: ['www.tenant.org'] });
    const platform = await upload(issued(['example.com', '*.example.com']));
    const own = await upload(issued(['own.example.com']));
    // A tenant's certificate that has names of others too is shown for its own only.
    await upload(issued(['www.elsewhere.org', 'own.example.com', 'www.tenant.org']), {
      domain: 'tenant.org',
    });
    const { hosts } = await bench.run(hostsList, {});
    expect(hosts.map(({ name, certificate }) => [name, certificate?.id])).toEqual([
      ['other.example.com', platform.id],
      ['own.example.com', own.id],
      ['www.tenant.org', expect.not.stringMatching(platform.id)],
    ]);
  });
});
