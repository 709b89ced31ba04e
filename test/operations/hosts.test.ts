import { beforeEach, expect, test } from 'vitest';
import { adoptFile } from '../../src/core/wishes/file-wishes.ts';
import { domainsAdd } from '../../src/operations/domains.ts';
import { hostsAdd, hostsList, hostsRemove } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, day, holdFallback, settings, start, useBench } from './fixture.ts';

useBench();
beforeEach(async () => {
  await bench.run(domainsAdd, { name: 'example.com' });
});

test('hosts go under the longest domain that matches, each with its certificate and its event', async () => {
  await bench.run(domainsAdd, { name: 'eu.example.com' });
  const names = ['shop.example.com', 'api.eu.example.com', 'example.com'];
  await bench.run(hostsAdd, { names }, { requestedBy: 'platform' });
  expect((await bench.needs.wishes.host('api.eu.example.com'))?.domain).toBe('eu.example.com');
  expect((await bench.needs.wishes.host('shop.example.com'))?.domain).toBe('example.com');
  expect((await bench.needs.certificates.lineages()).map(({ id }) => id).sort()).toEqual([
    'eu.example.com/api.eu.example.com/ec',
    'example.com/example.com/ec',
    'example.com/shop.example.com/ec',
  ]);
  const facts = (await bench.events('host.changed')).map((event) => event.facts);
  expect(facts).toContainEqual({ change: 'added', host: 'shop.example.com', requestedBy: 'platform' });
  expect(facts).toHaveLength(3);
});

test('the answer names the certificates that serve the new hosts, and no other of the domain', async () => {
  await bench.run(hostsAdd, { names: ['old.example.com'] });
  expect(await bench.run(hostsAdd, { names: ['new.example.com'] })).toEqual({
    added: ['new.example.com'],
    certificates: ['example.com/new.example.com/ec'],
  });
  await bench.run(domainsAdd, { name: 'example.org', dnsAccount: 'route53', hosts: ['a.b.example.org'] });
  expect(await bench.run(hostsAdd, { names: ['c.example.org', 'd.example.org'] })).toMatchObject({
    certificates: ['example.org/*.example.org/ec'],
  });
  await bench.run(domainsAdd, { name: 'example.net', mode: 'custom' });
  expect(await bench.run(hostsAdd, { names: ['a.example.net'] })).toMatchObject({ certificates: [] });
});

test.each([
  [
    ['fine.example.com', 'shop.example.net'],
    'command.notFound',
    'no domain is configured for shop.example.net; add it first: "domains add example.net"',
  ],
  [['example.net'], 'command.notFound', '"domains add example.net"'],
  [['a.example.com', 'a.example.com.'], 'command.invalid', 'a.example.com is given twice'],
  [['*.example.com'], 'command.invalid', '*.example.com needs dns-01'],
  [['a..example.com'], 'command.invalid', 'names.0: "a..example.com" is not a host name'],
  [['192.0.2.1'], 'command.notFound', 'add it first: "domains add 192.0.2.1"'],
  [['192.0.2.300'], 'command.invalid', 'it is neither an IP address nor a name'],
  [[`${'long-label.'.repeat(24)}example.com`], 'command.invalid', 'longer than 253 characters'],
  [[], 'command.invalid', 'names must have at least 1 name'],
])('refuses %j and adds none of them', async (names, code, message) => {
  await expect(bench.run(hostsAdd, { names })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
  expect(await bench.needs.wishes.hosts('example.com')).toEqual([]);
});

test('a host that is there is refused, and so is one of the file, with its line', async () => {
  await bench.run(hostsAdd, { names: ['a.example.com'] });
  await expect(bench.run(hostsAdd, { names: ['a.example.com'] })).rejects.toMatchObject({
    code: 'command.conflict',
    message: 'a.example.com is already a host of example.com',
  });
  const origin = { kind: 'file', line: 4 } as const;
  const domain = { name: 'example.org', ...settings.defaults, origin };
  const host = { name: 'b.example.org', domain: 'example.org', origin: { ...origin, line: 7 }, addedAt: 0 };
  await adoptFile([{ domain, hosts: [host] }], bench.needs);
  for (const operation of [hostsAdd, hostsRemove])
    await expect(
      bench.run<{ names: string[] }, unknown>(operation, { names: ['b.example.org'] }),
    ).rejects.toMatchObject({
      code: 'command.conflict',
      message: 'b.example.org is defined in the configuration file (line 7); change it there',
    });
  await bench.run(hostsAdd, { names: ['c.example.org'] });
  expect((await bench.needs.wishes.host('c.example.org'))?.origin).toEqual({ kind: 'runtime' });
});

test('removing a host orders nothing and keeps its certificate', async () => {
  await bench.run(hostsAdd, { names: ['a.example.com'] });
  await bench.hold('example.com/a.example.com/ec', start + 60 * day);
  const before = bench.woken.length;
  await bench.run(hostsRemove, { names: ['a.example.com'] }, { requestedBy: 'platform' });
  expect(bench.woken.slice(before).flatMap(({ ids }) => ids)).toEqual([]);
  expect(await bench.needs.certificates.certificate('example.com/a.example.com/ec')).toBeDefined();
  expect((await bench.events('host.changed'))[0]?.facts).toEqual({
    change: 'removed',
    host: 'a.example.com',
    requestedBy: 'platform',
  });
  await expect(bench.run(hostsRemove, { names: ['a.example.com'] })).rejects.toMatchObject({
    code: 'command.notFound',
    message: expect.stringContaining('there is no host a.example.com'),
  });
});

test('what "issue" asked for together is removed by its first name, and stays held', async () => {
  await bench.run(issue, { names: ['shop.example.com', 'www.shop.example.com'] });
  const id = 'example.com/shop.example.com/ec';
  await bench.hold(id, start + 60 * day);
  expect(await bench.run(hostsRemove, { names: ['shop.example.com'] })).toEqual({
    removed: ['shop.example.com'],
  });
  expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
  expect((await bench.needs.certificates.lineage(id))?.unwantedSince).toBe(start);
  expect(await bench.needs.certificates.certificate(id)).toBeDefined();
  await expect(bench.run(hostsRemove, { names: ['www.shop.example.com'] })).rejects.toMatchObject({
    code: 'command.notFound',
  });
});

test('two commands that add the same host at once: one wins, one is refused', async () => {
  const results = await Promise.allSettled([
    bench.run(hostsAdd, { names: ['a.example.com'] }),
    bench.run(hostsAdd, { names: ['a.example.com'] }),
  ]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await bench.events('host.changed')).toHaveLength(1);
});

test('the list shows what serves each host: trusted before stand-in, its own before a wildcard', async () => {
  await bench.run(domainsAdd, { name: 'example.org', dnsAccount: 'route53', hosts: ['w.example.org'] });
  await bench.run(hostsAdd, { names: ['a.example.com', 'b.example.com', 'c.example.com'] });
  for (const id of ['example.org/*.example.org/ec', 'example.com/a.example.com/ec'])
    await bench.seen(id, await bench.hold(id, start + 60 * day));
  await bench.hold('example.com/b.example.com/ec', start - day);
  await holdFallback('example.com/b.example.com', start + 80 * day);
  const { hosts, asOf } = await bench.run(hostsList, {});
  expect(asOf).toBe(start);
  expect(hosts.map(({ name, certificate }) => [name, certificate?.id, certificate?.state])).toEqual([
    ['a.example.com', 'example.com/a.example.com/ec', 'ok'],
    ['b.example.com', 'example.com/b.example.com/fallback', 'self-signed'],
    ['c.example.com', 'example.com/c.example.com/ec', 'renewing'],
    ['w.example.org', 'example.org/*.example.org/ec', 'ok'],
  ]);
  expect((await bench.run(hostsList, { domain: 'example.org' })).hosts).toHaveLength(1);
  await expect(bench.run(hostsList, { domain: 'example.edu' })).rejects.toMatchObject({
    code: 'command.notFound',
  });
});

test.each(['file', 'runtime'] as const)('a group that a host of the %s labels goes with it', async (kind) => {
  const [name, other] = ['www.example.org', 'api.example.org'];
  const origin = kind === 'file' ? ({ kind, line: 7 } as const) : ({ kind } as const);
  const domain = { name: 'example.org', ...settings.defaults, origin: { kind: 'file', line: 6 } as const };
  const hosts = [{ name, domain: 'example.org', addedAt: start, origin }];
  await adoptFile([{ domain, hosts }], bench.needs);
  await bench.run(issue, { names: [name, other] });
  expect(await bench.needs.wishes.groups('example.org')).toHaveLength(1);
  await bench.run(hostsRemove, { names: [name] });
  expect(await bench.needs.wishes.groups('example.org')).toEqual([]);
  expect(await bench.needs.wishes.hosts('example.org')).toHaveLength(kind === 'file' ? 1 : 0);
});
