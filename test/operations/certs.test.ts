import { expect, test } from 'vitest';
import { secret } from '../../src/core/secret.ts';
import { certsList, certsShow } from '../../src/operations/certs.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsRemove } from '../../src/operations/hosts.ts';
import { bench, day, holdFallback, start, useBench } from './fixture.ts';

useBench();

const id = (host: string) => `example.com/${host}.example.com/ec`;

test('each certificate has one state', async () => {
  const hosts = [
    'ok',
    'due',
    'failing',
    'expired',
    'gone',
    'new',
    'asked',
    'early',
    'late',
    'refused',
    'bare',
  ];
  await bench.run(domainsAdd, { name: 'example.com', hosts: hosts.map((host) => `${host}.example.com`) });
  const served = async (host: string, notAfter: number) =>
    bench.seen(id(host), await bench.hold(id(host), notAfter));
  await served('ok', start + 60 * day);
  await served('due', start + 20 * day);
  await bench.remember(id('due'), { renewAt: start - day });
  await served('failing', start + 10 * day);
  await bench.remember(id('failing'), { failures: 2 });
  await served('expired', start - day);
  await bench.remember(id('expired'), { failures: 9 });
  await served('gone', start + 60 * day);
  await served('asked', start + 60 * day);
  await bench.remember(id('asked'), { requested: { at: start, force: true } });
  await bench.hold(id('early'), start + 60 * day);
  await served('late', start + 20 * day);
  await bench.hold(id('late'), start + 60 * day);
  await bench.hold(id('refused'), start + 60 * day);
  await bench.remember(id('refused'), { failures: 1 });
  await bench.seen(id('refused'), undefined, { failures: 2 });
  await bench.seen(id('bare'), undefined, { failures: 1 });
  await bench.run(hostsRemove, { names: ['gone.example.com'] });
  const { certificates, asOf } = await bench.run(certsList, {});
  expect(asOf).toBe(start);
  expect(Object.fromEntries(certificates.map((row) => [row.id, row.state]))).toEqual({
    [id('ok')]: 'ok',
    [id('due')]: 'renewing',
    [id('failing')]: 'failing',
    [id('expired')]: 'expired',
    [id('gone')]: 'unwanted',
    [id('new')]: 'renewing',
    [id('asked')]: 'renewing',
    [id('early')]: 'undeployed',
    [id('late')]: 'undeployed',
    [id('refused')]: 'deploy-failing',
    [id('bare')]: 'deploy-failing',
  });
  expect(certificates.map((row) => row.id)).toEqual(certificates.map((row) => row.id).sort());
  expect(certificates.find((row) => row.id === id('ok'))).toMatchObject({
    domain: 'example.com',
    issuer: 'letsencrypt',
    expiresAt: start + 60 * day,
    names: ['ok.example.com'],
  });
});

test('a stand-in is listed only where it is served, or with all', async () => {
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['new.example.com', 'ok.example.com'] });
  await bench.run(domainsAdd, { name: 'example.org', hosts: ['other.example.org'] });
  await bench.hold(id('ok'), start + 60 * day);
  await holdFallback('example.com/new.example.com', start + 80 * day);
  await holdFallback('example.com/ok.example.com', start + 80 * day);
  const listed = async (input: object) =>
    (await bench.run(certsList, input)).certificates.map((row) => row.id);
  expect(await listed({ domain: 'example.com' })).toEqual([
    'example.com/new.example.com/ec',
    'example.com/new.example.com/fallback',
    'example.com/ok.example.com/ec',
  ]);
  expect(await listed({ domain: 'example.com', all: true })).toContain('example.com/ok.example.com/fallback');
  expect(await listed({})).toHaveLength(4);
  await expect(listed({ domain: 'example.edu' })).rejects.toMatchObject({ code: 'command.notFound' });

  bench.now = start + 61 * day;
  expect(await listed({ domain: 'example.com' })).toContain('example.com/ok.example.com/fallback');
});

test('show tells all that is public, by id or by host name, and no key', async () => {
  await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
  const first = await bench.hold(id('a'), start + 10 * day);
  const second = await bench.hold(id('a'), start + 60 * day);
  const key = secret<Uint8Array>(Buffer.from('the key of the order under way'));
  const { wanted } = second;
  await bench.needs.changes.commit({
    putIssuance: {
      lineage: id('a'),
      wanted,
      names: wanted.names,
      issuer: 'zerossl',
      privateKey: key,
      csrDer: new Uint8Array(3),
      startedAt: start - 5,
      orderUrl: 'https://ca.test/order/1',
      presented: {},
    },
  });
  await bench.seen(id('a'), first);
  const shown = await bench.run(certsShow, { id: id('a') });
  expect(shown).toMatchObject({
    state: 'undeployed',
    certificate: { serial: second.serial },
    order: { issuer: 'zerossl', startedAt: start - 5, url: 'https://ca.test/order/1' },
    wanted: { serial: second.serial },
    targets: [{ target: 'files', shows: 'other', seen: { serial: first.serial }, failures: 0 }],
  });
  expect(shown.generations.map(({ serial }) => serial)).toEqual([second.serial, first.serial]);
  expect(JSON.stringify(shown)).not.toContain('privateKey');
  expect((await bench.run(certsShow, { id: 'A.example.com' })).lineage.id).toBe(id('a'));
});

test('show asks which one when a name has several, and says what to do when it has none', async () => {
  await bench.run(domainsAdd, {
    name: 'example.com',
    keyTypes: ['p256', 'rsa2048'],
    hosts: ['a.example.com'],
  });
  await expect(bench.run(certsShow, { id: 'a.example.com' })).rejects.toMatchObject({
    code: 'command.invalid',
    message: `a.example.com has several certificates; name one of: ${id('a')}, example.com/a.example.com/rsa`,
  });
  await expect(bench.run(certsShow, { id: 'b.example.com' })).rejects.toMatchObject({
    code: 'command.notFound',
    message: 'no certificate is kept for b.example.com; add it with "hosts add b.example.com"',
  });
  await expect(bench.run(certsShow, { id: 'cert-1' })).rejects.toMatchObject({ code: 'command.notFound' });
});
