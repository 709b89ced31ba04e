import { describe, expect, test } from 'vitest';
import { bind, unbind } from '../../src/operations/bind.ts';
import { certsList } from '../../src/operations/certs.ts';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsList } from '../../src/operations/hosts.ts';
import { bench, day, start, useBench } from '../operations/fixture.ts';
import { chainPem, issued, upload } from '../operations/uploads-kit.ts';
import { keyPem, rsaKey } from '../support/forge.ts';
import { handIn } from '../x509/upload/pki.ts';

useBench();

const custom = () => bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });

describe('what Kong does with certificates:', () => {
  test('K2 the key must be that of the certificate; a pair has one RSA and one ECDSA', async () => {
    await custom();
    const [ec, other] = [issued(['www.example.com']), issued(['www.example.com'])];
    await expect(upload(handIn(ec.pem + chainPem + keyPem(other.key)))).rejects.toMatchObject({
      message: expect.stringContaining('the key is not that of the certificate'),
    });
    const pair = [await upload(ec), await upload(issued(['www.example.com'], { key: rsaKey(2048) }))];
    const certificates = pair.map(({ id }) => id);
    expect(
      (await bench.run(bind, { name: 'www.example.com', certificates })).binding.certificates,
    ).toHaveLength(2);
    const same = await upload(issued(['www.example.com', 'b.example.com']), { name: 'b.example.com' });
    await expect(
      bench.run(bind, { name: 'b.example.com', certificates: [certificates[0] ?? '', same.id], force: true }),
    ).rejects.toMatchObject({ code: 'command.invalid' });
  });

  test('K3 server names are bound once: a conflict is an error and nothing is written', async () => {
    await custom();
    const [first, second] = [
      await upload(issued(['a.example.com'])),
      await upload(issued(['a.example.com', 'b.example.com']), { name: 'b.example.com' }),
    ];
    await bench.run(bind, { name: 'a.example.com', certificates: [first.id] });
    const before = await bench.needs.bindings.all();
    await expect(bench.run(bind, { name: 'a.example.com', certificates: [second.id] })).rejects.toMatchObject(
      {
        code: 'command.conflict',
        message: `a.example.com is bound to ${first.id} already; unbind it first, or use replace`,
      },
    );
    expect(await bench.needs.bindings.all()).toEqual(before);
  });

  test('K3 exact names come before leftmost, rightmost and any, and a host is shown that', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom', hosts: ['a.example.com'] });
    await bench.run(domainsAdd, { name: 'example.org', mode: 'custom' });
    const names = ['*', 'a.example.*', '*.example.com', 'a.example.com'];
    for (const [index, name] of names.entries()) {
      const { id } = await upload(issued([`h${index}.example.org`]));
      await bench.run(bind, { name, certificates: [id], force: true });
      const { hosts } = await bench.run(hostsList, { domain: 'example.com' });
      expect(hosts[0]?.certificate?.id).toBe(id);
    }
    for (const name of names.toReversed()) {
      const { hosts } = await bench.run(hostsList, { domain: 'example.com' });
      expect((await bench.needs.bindings.get(name))?.lineages).toEqual([hosts[0]?.certificate?.id]);
      await bench.run(unbind, { names: [name] });
    }
  });

  test('K4 names are taken from a certificate one by one, and a certificate goes when it has none', async () => {
    await custom();
    const { id } = await upload(issued(['a.example.com', 'b.example.com']));
    for (const name of ['a.example.com', 'b.example.com'])
      await bench.run(bind, { name, certificates: [id] });
    await bench.run(unbind, { names: ['a.example.com'] });
    await expect(bench.run(certsRemove, { id, force: true })).rejects.toMatchObject({
      message: `${id} is bound to b.example.com; unbind that first`,
    });
    await bench.run(unbind, { names: ['b.example.com'] });
    await bench.run(certsRemove, { id, force: true });
    expect(await bench.needs.certificates.lineage(id)).toBeUndefined();
  });

  test('K10 the list has digest, serial, issuer, dates, validity and key type, and can be had of the invalid alone', async () => {
    await custom();
    const good = await upload(issued(['good.example.com']));
    const short = await upload(issued(['short.example.com'], { notAfter: start + 2 * day }));
    bench.now = start + 3 * day;
    const { certificates } = await bench.run(certsList, {});
    expect(certificates.find(({ id }) => id === good.id)).toMatchObject({
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      serial: good.serial,
      issuer: 'Test CA',
      notBefore: start - day,
      expiresAt: start + 90 * day,
      keyType: 'p256',
    });
    const invalid = await bench.run(certsList, { states: ['expired', 'revoked'] });
    expect(invalid.certificates.map(({ id, state }) => [id, state])).toEqual([[short.id, 'expired']]);
  });
});
