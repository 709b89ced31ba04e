import { describe, expect, test } from 'vitest';
import { bind, unbind } from '../../src/operations/bind.ts';
import { bindingsList } from '../../src/operations/bindings.ts';
import { certsList } from '../../src/operations/certs.ts';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, day, start, useBench } from '../operations/fixture.ts';
import { chainPem, issued, upload } from '../operations/uploads-kit.ts';
import { keyPem } from '../support/forge.ts';
import { handIn } from '../x509/upload/pki.ts';

useBench();

const custom = () => bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });

describe('what Convox does with certificates:', () => {
  test('V1 one is generated for several names: its id comes at once, and until it is issued it is listed, deleted, and not usable', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'individual', challenge: 'http-01' });
    const { lineages } = await bench.run(issue, { names: ['a.example.com', 'b.example.com'] });
    const [id = ''] = lineages;
    expect(id).toBe('example.com/a.example.com/ec');
    expect((await bench.run(certsList, {})).certificates).toMatchObject([{ id, state: 'renewing' }]);
    await expect(bench.run(bind, { name: 'web:443', certificates: [id] })).rejects.toMatchObject({
      message: `${id} has no certificate yet: its first order is pending`,
    });
    await bench.run(hostsRemove, { names: ['a.example.com'] });
    await bench.run(certsRemove, { id });
    expect((await bench.run(certsList, {})).certificates).toEqual([]);
  });

  test('V2 an upload with its chain apart gets an id that stays', async () => {
    await custom();
    const one = issued(['www.example.com']);
    const { id } = await upload(handIn(one.pem, { key: keyPem(one.key), chain: chainPem }));
    expect(id).toMatch(/^cert-[0-9a-f]{10}$/);
    expect(await upload(issued(['www.example.com']))).toMatchObject({ id, generation: 2 });
  });

  test('V4 what is bound to service:port must be there, and the target well formed', async () => {
    await custom();
    const { id } = await upload(issued(['www.example.com']));
    expect((await bench.run(bind, { name: 'web:443', certificates: [id] })).binding).toMatchObject({
      name: 'web:443',
      kind: 'endpoint',
      certificates: [id],
    });
    const refused = async (name: string, certificate: string) =>
      expect(bench.run(bind, { name, certificates: [certificate] })).rejects.toThrow();
    await refused('web:https', id);
    await refused('web', id);
    await refused('web:444', 'cert-unknown');
    await expect(bench.run(unbind, { names: ['web:444'] })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    expect((await bench.run(bindingsList, {})).bindings).toHaveLength(1);
  });

  test('V5 the bindings are listed with target, certificate, domain and expiry', async () => {
    await custom();
    const { id } = await upload(issued(['www.example.com']));
    await bench.run(bind, { name: 'web:443', certificates: [id] });
    expect((await bench.run(bindingsList, {})).bindings).toMatchObject([
      { name: 'web:443', certificates: [id], domain: 'www.example.com', expiresAt: start + 90 * day },
    ]);
  });

  test('V7 a successor takes over in one write and the one before stays; nothing that is bound is deleted', async () => {
    await custom();
    const { id } = await upload(issued(['www.example.com']));
    await bench.run(bind, { name: 'web:443', certificates: [id] });
    await upload(issued(['www.example.com']), { replace: id });
    expect(await bench.needs.certificates.lineage(id)).toMatchObject({ current: 2, generations: [1, 2] });
    expect(await bench.needs.certificates.bundle(id, 1)).toBeDefined();
    await expect(bench.run(certsRemove, { id, force: true })).rejects.toMatchObject({
      code: 'command.conflict',
    });
  });

  test('V10 what cannot be used is not bound', async () => {
    await custom();
    const { id } = await upload(issued(['www.example.com']));
    bench.now = start + 91 * day;
    await expect(bench.run(bind, { name: 'web:443', certificates: [id] })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining(`${id} expired at`),
    });
  });
});
