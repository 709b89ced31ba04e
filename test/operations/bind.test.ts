import { describe, expect, test } from 'vitest';
import { bind, unbind } from '../../src/operations/bind.ts';
import { bindingsList } from '../../src/operations/bindings.ts';
import { certsShow } from '../../src/operations/certs.ts';
import { certsPurge } from '../../src/operations/certs-purge.ts';
import { certsRemove } from '../../src/operations/certs-remove.ts';
import { domainsAdd, domainsRemove } from '../../src/operations/domains.ts';
import { hostsList, hostsRemove } from '../../src/operations/hosts.ts';
import { rsaKey } from '../support/forge.ts';
import { bench, day, start, useBench } from './fixture.ts';
import { issued, upload } from './uploads-kit.ts';

useBench();

/** A domain of uploads with one for two names. */
async function uploaded(): Promise<string> {
  await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
  return (await upload(issued(['www.example.com', '*.shop.example.com']))).id;
}

describe('a binding', () => {
  test('shows a certificate for a name or at an endpoint; one certificate for any number of them', async () => {
    const id = await uploaded();
    for (const name of ['www.example.com', 'a.shop.example.com', '*.shop.example.com', 'web:443'])
      await bench.run(bind, { name, certificates: [id] }, { requestedBy: 'ops' });
    const { bindings, asOf } = await bench.run(bindingsList, {});
    expect(asOf).toBe(start);
    expect(bindings).toHaveLength(4);
    expect(bindings.at(-1)).toEqual({
      name: 'www.example.com',
      kind: 'name',
      certificates: [id],
      domain: 'www.example.com',
      expiresAt: start + 90 * day,
      state: 'ok',
      boundAt: start,
    });
    expect(bindings.find(({ name }) => name === 'web:443')).toMatchObject({ kind: 'endpoint' });
    expect((await bench.run(certsShow, { id })).bindings).toHaveLength(4);
    expect((await bench.run(bindingsList, { certificate: id })).bindings).toEqual(bindings);
    const events = await bench.events('binding.changed');
    expect(events).toHaveLength(4);
    expect(events[0]).toMatchObject({
      domain: 'example.com',
      lineage: id,
      facts: { change: 'bound', name: 'web:443', requestedBy: 'ops' },
    });
  });

  test('is written in one form: lower case, A-labels, no dot at the end', async () => {
    const id = await uploaded();
    await bench.run(bind, { name: 'WWW.Example.com.', certificates: [id] });
    await bench.run(bind, { name: 'Web:0443', certificates: [id] });
    expect((await bench.run(bindingsList, {})).bindings.map(({ name }) => name)).toEqual([
      'web:443',
      'www.example.com',
    ]);
  });

  test('on a name that is taken is refused, unless it is said to take its place', async () => {
    const id = await uploaded();
    const other = (await upload(issued(['www.example.com', 'b.example.com']), { name: 'b.example.com' })).id;
    await bench.run(bind, { name: 'www.example.com', certificates: [id] });
    const attempt = { name: 'www.example.com', certificates: [other] };
    await expect(bench.run(bind, attempt)).rejects.toMatchObject({
      code: 'command.conflict',
      message: `www.example.com is bound to ${id} already; unbind it first, or use replace`,
    });
    expect(await bench.needs.bindings.get('www.example.com')).toMatchObject({ lineages: [id] });
    expect(await bench.run(bind, { ...attempt, replace: true })).toMatchObject({
      binding: { certificates: [other] },
      replaced: [id],
    });
    expect(await bench.needs.bindings.of(id)).toEqual([]);
  });

  test('that is there already is as good as new', async () => {
    const id = await uploaded();
    await bench.run(bind, { name: 'www.example.com', certificates: [id] });
    await bench.run(bind, { name: 'www.example.com', certificates: [id] });
    expect(await bench.events('binding.changed')).toHaveLength(1);
  });

  test('may have one certificate of each kind of key', async () => {
    const ec = await uploaded();
    const rsa = (await upload(issued(['www.example.com'], { key: rsaKey(2048) }))).id;
    const second = (await upload(issued(['www.example.com', 'c.example.com']), { name: 'c.example.com' })).id;
    const pair = await bench.run(bind, { name: 'www.example.com', certificates: [ec, rsa] });
    expect(pair.binding.certificates).toEqual([ec, rsa].toSorted());
    await expect(
      bench.run(bind, { name: 'www.example.com', certificates: [ec, second], replace: true }),
    ).rejects.toMatchObject({ message: expect.stringContaining('these are of one kind') });
  });

  test('has the places deployed that show its names, and no others', async () => {
    const id = await uploaded();
    await bench.run(domainsAdd, {
      name: 'example.org',
      mode: 'individual',
      hosts: ['a.example.org', 'b.example.org'],
    });
    await bench.hold('example.org/a.example.org/ec', start + 60 * day);
    await bench.run(bind, { name: 'a.example.org', certificates: [id], force: true });
    expect(bench.woken.at(-1)).toEqual({ job: 'deploy', ids: ['files|example.org/a.example.org/ec'] });
    await bench.run(unbind, { names: ['a.example.org'] });
    expect(bench.woken.at(-1)).toEqual({ job: 'deploy', ids: ['files|example.org/a.example.org/ec'] });
    await bench.run(bind, { name: '*', certificates: [id], force: true });
    expect(bench.woken.at(-1)?.ids).toEqual(
      expect.arrayContaining(['files|example.org/b.example.org/ec', `files|${id}`]),
    );
  });

  test('comes first in what a host is shown', async () => {
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['a.example.org'] });
    await bench.hold('example.org/a.example.org/ec', start + 60 * day);
    const shown = async () =>
      (await bench.run(hostsList, { domain: 'example.org' })).hosts[0]?.certificate?.id;
    expect(await shown()).toBe('example.org/a.example.org/ec');
    const id = await uploaded();
    await bench.run(bind, { name: 'a.example.org', certificates: [id], force: true });
    expect(await shown()).toBe(id);
  });

  test('of what expired is told as lapsed', async () => {
    const id = await uploaded();
    await bench.run(bind, { name: 'web:443', certificates: [id] });
    bench.now = start + 91 * day;
    expect((await bench.run(bindingsList, {})).bindings).toMatchObject([
      { name: 'web:443', state: 'lapsed' },
    ]);
  });
});

describe('nothing is bound', () => {
  test.each([
    ['web', 'it has only one label'],
    ['web:', 'the port must be numeric'],
    ['web:http', 'the port must be numeric'],
    ['web:0', 'a port is 1 to 65535'],
    ['web:70000', 'a port is 1 to 65535'],
    [':443', 'an endpoint is service:port, with a service of one label'],
    [
      'www.example.com:443',
      'a server name has no port; an endpoint is service:port, with a service of one label',
    ],
    ['192.0.2.7', 'an IP address is no server name (RFC 6066): add it as a host instead'],
    ['*.*.example.com', 'only one * may be in it'],
    ['*.example.*', 'only one * may be in it'],
    ['w*.example.com', 'a * must be the whole first or the whole last label'],
    ['www.*.com', 'a * must be the whole first or the whole last label'],
    ['-.example.com', 'its label "-" is not valid'],
    ['', 'it is empty'],
  ])('to "%s"', async (name, reason) => {
    const id = await uploaded();
    await expect(bench.run(bind, { name, certificates: [id] })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining(`cannot be bound: ${reason}`),
    });
    expect(await bench.needs.bindings.all()).toEqual([]);
  });

  test('that clients would not accept, unless that is meant', async () => {
    const id = await uploaded();
    const refusals = {
      'b.example.com': `clients do not accept ${id} for b.example.com: it is for www.example.com, *.shop.example.com; use force if that is meant`,
      '*.example.com': `*.example.com takes every name one label below example.com, and ${id} is for www.example.com, *.shop.example.com; use force if that is meant`,
      'www.*': `www.* takes every name of www and one more label, and ${id} is for www.example.com, *.shop.example.com; use force if that is meant`,
      '*': `* takes every name that has no binding of its own, also those with certificates of their own, and ${id} is for www.example.com, *.shop.example.com; use force if that is meant`,
    };
    for (const [name, message] of Object.entries(refusals)) {
      await expect(bench.run(bind, { name, certificates: [id] })).rejects.toMatchObject({ message });
      expect(await bench.run(bind, { name, certificates: [id], force: true })).toMatchObject({
        binding: { name },
      });
    }
  });

  test('that is not there, pending, expired, revoked, self-signed, or renewed no more', async () => {
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['a.example.org'] });
    const id = 'example.org/a.example.org/ec';
    const attempt = () => bench.run(bind, { name: 'a.example.org', certificates: [id] });
    await expect(bench.run(bind, { name: 'web:443', certificates: ['cert-none'] })).rejects.toMatchObject({
      code: 'command.notFound',
    });
    await expect(attempt()).rejects.toMatchObject({
      message: `${id} has no certificate yet: its first order is pending`,
    });
    await bench.hold(id, start - day);
    await expect(attempt()).rejects.toMatchObject({ message: `${id} expired at 2026-11-19 12:00:00 UTC` });
    await bench.hold(id, start + 60 * day);
    await bench.remember(id, { revokedAt: start });
    await expect(attempt()).rejects.toMatchObject({ message: `${id} is revoked` });
    await bench.remember(id, { revokedAt: undefined });
    await bench.run(hostsRemove, { names: ['a.example.org'] });
    await expect(attempt()).rejects.toMatchObject({
      message: expect.stringContaining('so it is not renewed: add its host again, or use force'),
    });
    expect(await bench.needs.bindings.all()).toEqual([]);
  });
});

describe('a certificate that is bound', () => {
  test('is not deleted, by whatever command, until it is unbound', async () => {
    const id = await uploaded();
    await bench.run(bind, { name: 'web:443', certificates: [id] });
    const message = `${id} is bound to web:443; unbind that first`;
    await expect(bench.run(certsRemove, { id })).rejects.toMatchObject({ code: 'command.conflict', message });
    await expect(bench.run(certsRemove, { id, force: true })).rejects.toMatchObject({ message });
    await bench.run(unbind, { names: ['web:443'] });
    await bench.run(certsRemove, { id, force: true });
    expect(await bench.needs.certificates.lineage(id)).toBeUndefined();
  });

  test('though nobody asks for it any more', async () => {
    await bench.run(domainsAdd, { name: 'example.org', mode: 'individual', hosts: ['a.example.org'] });
    const id = 'example.org/a.example.org/ec';
    await bench.hold(id, start + 60 * day);
    await bench.run(bind, { name: 'web:443', certificates: [id] });
    await bench.run(hostsRemove, { names: ['a.example.org'] });
    expect((await bench.run(certsPurge, { ids: [id] })).kept).toEqual([
      { id, reason: 'it is bound to web:443' },
    ]);
    await expect(bench.run(certsRemove, { id })).rejects.toMatchObject({
      message: `${id} is not deleted: it is bound to web:443`,
    });
    await bench.run(unbind, { names: ['web:443'] });
    await bench.run(certsRemove, { id });
    expect(await bench.needs.certificates.lineage(id)).toBeUndefined();
  });

  test('stays bound when it gets a new generation', async () => {
    const id = await uploaded();
    await bench.run(bind, { name: 'www.example.com', certificates: [id] });
    await upload(issued(['www.example.com', '*.shop.example.com']), { replace: id });
    const { bindings } = await bench.run(bindingsList, {});
    expect(bindings).toMatchObject([{ name: 'www.example.com', certificates: [id], state: 'ok' }]);
  });

  test('has no successor that is not for the names that it is bound to', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    const wide = issued(['www.example.com', 'www.example.org']);
    const { id } = await upload(wide);
    await bench.run(bind, { name: 'www.example.org', certificates: [id] });
    await expect(upload(issued(['www.example.com']), { replace: id })).rejects.toMatchObject({
      message: expect.stringContaining(`it is not for www.example.org, which ${id} is for`),
    });
  });
});

test('what is not bound cannot be unbound', async () => {
  await expect(bench.run(unbind, { names: ['web:443', '*'] })).rejects.toMatchObject({
    code: 'command.notFound',
    message: 'nothing is bound to web:443, *; see "bindings"',
  });
});

test('a domain whose names are bound is removed by force only, and then nothing is bound to them', async () => {
  const id = await uploaded();
  await bench.run(domainsAdd, { name: 'example.org', mode: 'custom' });
  for (const name of ['www.example.org', '*.example.org', 'www.example.*', 'web:443'])
    await bench.run(bind, { name, certificates: [id], force: true });
  await expect(bench.run(domainsRemove, { name: 'example.org' })).rejects.toMatchObject({
    code: 'command.conflict',
    message: 'example.org has 2 bindings (*.example.org, www.example.org); unbind the names, or use force',
  });
  await bench.run(domainsRemove, { name: 'example.org', force: true });
  expect((await bench.needs.bindings.all()).map(({ name }) => name)).toEqual(['web:443', 'www.example.*']);
});
