import { describe, expect, test } from 'vitest';
import type { Domain } from '../../src/core/types.ts';
import { resolveDomain } from '../../src/core/wishes/domain-wish.ts';
import { adoptFile } from '../../src/core/wishes/file-wishes.ts';
import { changeWishes } from '../../src/core/wishes/reconcile.ts';
import {
  domainsAdd,
  domainsList,
  domainsRemove,
  domainsSet,
  domainsShow,
} from '../../src/operations/domains.ts';
import { hostsAdd } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, day, holdOrder, settings, start, useBench } from './fixture.ts';

useBench();

const fileDomain: Domain = {
  name: 'example.org',
  ...settings.defaults,
  origin: { kind: 'file', line: 12 },
};

describe('domains add', () => {
  test('takes what is not said from the defaults, and makes the certificates of its hosts', async () => {
    const answer = await bench.run(
      domainsAdd,
      { name: 'Example.COM.', hosts: ['shop.example.com'] },
      { requestedBy: 'platform' },
    );
    expect(answer).toEqual({
      domain: 'example.com',
      certificates: ['example.com/shop.example.com/ec'],
    });
    expect(await bench.needs.wishes.domain('example.com')).toMatchObject({
      ...settings.defaults,
      name: 'example.com',
      origin: { kind: 'runtime' },
    });
    expect(bench.woken).toContainEqual({ job: 'issue', ids: ['example.com/shop.example.com/ec'] });
    const [event] = await bench.events('domain.changed');
    expect(event).toMatchObject({
      domain: 'example.com',
      facts: { change: 'added', hosts: ['shop.example.com'], requestedBy: 'platform' },
    });
  });

  test('with a DNS account that can be written makes one wildcard certificate', async () => {
    const answer = await bench.run(domainsAdd, { name: 'example.com', dnsAccount: 'route53' });
    expect(answer.certificates).toEqual(['example.com/*.example.com/ec']);
  });

  test('keeps what was said of refused names and of keys, until it is unset', async () => {
    const name = 'example.com';
    await bench.run(domainsAdd, { name, partial: true, reuseKey: true });
    expect((await bench.run(domainsShow, { name })).domain).toMatchObject({ partial: true, reuseKey: true });
    await bench.run(domainsSet, { name, unset: ['reuseKey'] });
    const { domain } = await bench.run(domainsShow, { name });
    expect(domain).toMatchObject({ partial: true });
    expect(domain.reuseKey).toBeUndefined();
  });

  test('keeps the profile as wished', async () => {
    await bench.run(domainsAdd, { name: 'example.com', profile: 'shortlived', profileRequired: true });
    const { domain } = await bench.run(domainsShow, { name: 'example.com' });
    expect(domain.profile).toEqual({ name: 'shortlived', required: true });
  });

  test.each([
    [{ issuers: ['nobody'] }, 'no issuer "nobody"; it defines: letsencrypt, zerossl'],
    [{ issuers: ['zerossl', 'zerossl'] }, 'issuers: "zerossl" is given twice'],
    [{ dnsAccount: 'cloud' }, 'no DNS account "cloud"; it defines: route53, byhand'],
    [{ deploy: ['files', 'moon'] }, 'no deploy target "moon"; it defines: files, web'],
    [{ notify: ['pager'] }, 'no notifier "pager"; it defines: mail'],
    [{ mode: 'wildcard', challenge: 'http-01' }, 'only issued over dns-01, but the challenge is http-01'],
    [{ mode: 'wildcard' }, 'mode: a wildcard needs a DNS account'],
    [{ mode: 'wildcard', dnsAccount: 'byhand' }, 'byhand is kept by hand'],
    [{ challenge: 'dns-01' }, 'dns-01 needs a DNS account'],
    [{ challenge: 'dns-persist-01', dnsAccount: 'route53' }, 'name it under "experimental"'],
    [{ keyTypes: ['p256', 'p384'] }, 'at most one ECDSA'],
    [{ profileRequired: true }, 'name the profile as well'],
    [{ hosts: ['*.example.com'] }, '*.example.com needs dns-01'],
    [{ hosts: ['a.example.net'] }, 'a.example.net does not lie under example.com'],
    [{ hosts: ['a.example.com', 'A.example.com'] }, 'a.example.com is given twice'],
  ])('refuses %j and writes nothing', async (more, message) => {
    await expect(bench.run(domainsAdd, { name: 'example.com', ...more })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining(message),
    });
    expect(await bench.needs.wishes.domains()).toEqual([]);
    expect(await bench.needs.certificates.lineages()).toEqual([]);
  });

  test('takes a wildcard of a DNS account that is kept by hand where it is asked to prove it there', async () => {
    const byHand = { dnsAccount: 'byhand', challenge: 'dns-01' };
    await bench.run(domainsAdd, { name: 'example.com', mode: 'wildcard', ...byHand });
    const lineages = await bench.needs.certificates.lineages();
    expect(lineages.map(({ id }) => id)).toContain('example.com/*.example.com/ec');
  });

  test('refuses a domain that is there, and names the line of one that the file owns', async () => {
    await bench.run(domainsAdd, { name: 'example.com' });
    await expect(bench.run(domainsAdd, { name: 'example.com' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: 'example.com is there already; change it with "domains set"',
    });
    await adoptFile([{ domain: fileDomain, hosts: [] }], bench.needs);
    await expect(bench.run(domainsAdd, { name: 'example.org' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: 'example.org is defined in the configuration file (line 12); change it there',
    });
  });

  test('takes over a domain that left the file', async () => {
    await adoptFile([{ domain: fileDomain, hosts: [] }], bench.needs);
    await adoptFile([], bench.needs);
    await expect(bench.run(hostsAdd, { names: ['a.example.org'] })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('left the configuration file'),
    });
    await expect(bench.run(domainsSet, { name: 'example.org', mode: 'custom' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('add it with "domains add example.org"'),
    });
    await bench.run(domainsAdd, { name: 'example.org' });
    expect(await bench.needs.wishes.domain('example.org')).toMatchObject({ origin: { kind: 'runtime' } });
    expect((await bench.needs.wishes.domain('example.org'))?.disabledAt).toBeUndefined();
  });
});

describe('domains set', () => {
  test('changes what is said and leaves the rest', async () => {
    await bench.run(domainsAdd, { name: 'example.com', dnsAccount: 'route53', profile: 'tlsserver' });
    await bench.run(domainsSet, { name: 'example.com', issuers: ['zerossl'], unset: ['profile'] });
    const { domain } = await bench.run(domainsShow, { name: 'example.com' });
    expect(domain).toMatchObject({ issuers: ['zerossl'], dnsAccount: 'route53', mode: 'auto' });
    expect(domain.profile).toBeUndefined();
    const [event] = await bench.events('domain.changed');
    expect(event?.facts).toMatchObject({ change: 'changed', fields: ['issuers', 'profile'] });
  });

  test('clears the ladder of the certificates it changes', async () => {
    await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
    await bench.remember('example.com/a.example.com/ec', { failures: 3, retryAt: start + 1e8 });
    await bench.run(domainsSet, { name: 'example.com', issuers: ['zerossl'] });
    const state = await bench.needs.renewals.get('example.com/a.example.com/ec');
    expect(state.retryAt).toBeUndefined();
  });

  test('refuses what is not there with the nearest name, and what the file owns', async () => {
    await adoptFile([{ domain: fileDomain, hosts: [] }], bench.needs);
    await expect(bench.run(domainsSet, { name: 'exmaple.org', mode: 'custom' })).rejects.toMatchObject({
      code: 'command.notFound',
      message: 'there is no domain exmaple.org; do you mean example.org?',
    });
    await expect(bench.run(domainsSet, { name: 'example.org', mode: 'custom' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('line 12'),
    });
  });
});

describe('what was said of a domain', () => {
  const domain = async () => (await bench.run(domainsShow, { name: 'example.com' })).domain;

  test('is kept; the rest follows the defaults', async () => {
    await bench.run(domainsAdd, { name: 'example.com', deploy: ['web'] });
    expect((await domain()).said).toEqual({ deploy: ['web'] });
    await bench.run(domainsSet, { name: 'example.com', issuers: ['zerossl'], profile: 'short' });
    expect((await domain()).said).toEqual({
      deploy: ['web'],
      issuers: ['zerossl'],
      profile: { name: 'short', required: false },
    });
    await bench.run(domainsSet, { name: 'example.com', profileRequired: true });
    expect((await domain()).profile).toEqual({ name: 'short', required: true });
  });

  test('can be taken back field by field: the default counts again', async () => {
    await bench.run(domainsAdd, { name: 'example.com', deploy: ['web'], contacts: ['a@example.com'] });
    await bench.run(domainsSet, { name: 'example.com', unset: ['deploy', 'contacts'] });
    expect(await domain()).toMatchObject({ deploy: ['files'], contacts: [], said: {} });
  });

  test('before the file lost a name of it does not stand in the way of another change', async () => {
    const said = { deploy: ['lost'], notify: ['mail'] };
    const edit = () => ({ domain: resolveDomain('example.com', said, settings) });
    await changeWishes('example.com', edit, bench.needs);
    await bench.run(domainsSet, { name: 'example.com', contacts: ['a@example.com'] });
    expect(await domain()).toMatchObject({ deploy: ['files'], contacts: ['a@example.com'] });
    await expect(bench.run(domainsSet, { name: 'example.com', deploy: ['lost'] })).rejects.toMatchObject({
      code: 'command.invalid',
    });
  });
});

describe('domains remove', () => {
  test('refuses while there are hosts unless forced; certificates stay and become unwanted', async () => {
    await bench.run(domainsAdd, { name: 'example.com', hosts: ['a.example.com'] });
    await bench.hold('example.com/a.example.com/ec', start + 1e9);
    await expect(bench.run(domainsRemove, { name: 'example.com' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: 'example.com has 1 host (a.example.com); remove them first with "hosts remove", or use force',
    });
    await bench.run(domainsRemove, { name: 'example.com', force: true });
    expect(await bench.needs.wishes.domains()).toEqual([]);
    expect(await bench.needs.wishes.host('a.example.com')).toBeUndefined();
    const lineage = await bench.needs.certificates.lineage('example.com/a.example.com/ec');
    expect(lineage).toMatchObject({ unwantedSince: start, current: 1 });
  });

  test('does not ask for force because of a certificate that was asked for and never came', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(issue, { names: ['a.example.com', 'b.example.com'] });
    await bench.run(domainsRemove, { name: 'example.com' });
    expect(await bench.needs.wishes.domains()).toEqual([]);
    expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
  });

  test('refuses while what "issue" asked for holds a valid certificate, unless forced', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(issue, { names: ['a.example.com'] });
    await bench.hold('example.com/a.example.com/ec', start + day);
    await expect(bench.run(domainsRemove, { name: 'example.com' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: expect.stringContaining('1 certificate asked for with "issue" (a.example.com)'),
    });
    bench.now = start + 2 * day;
    await bench.run(domainsRemove, { name: 'example.com' });
    expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
  });

  test('refuses while an order is under way, and names it', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(issue, { names: ['a.example.com'] });
    const id = 'example.com/a.example.com/ec';
    await holdOrder(id);
    await expect(bench.run(domainsRemove, { name: 'example.com' })).rejects.toMatchObject({
      code: 'command.conflict',
      message: `example.com has 1 order under way (${id}); wait until the orders are done, or use force`,
    });
    await bench.needs.changes.commit({ dropIssuance: id });
    await bench.run(domainsRemove, { name: 'example.com' });
    expect(await bench.needs.wishes.domains()).toEqual([]);
  });

  test('a group that is taken out leaves its certificate unwanted', async () => {
    await bench.run(domainsAdd, { name: 'example.com', mode: 'custom' });
    await bench.run(issue, { names: ['a.example.com'] });
    await changeWishes('example.com', ({ groups }) => ({ removeGroups: groups }), bench.needs);
    expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
    expect(await bench.needs.certificates.lineage('example.com/a.example.com/ec')).toMatchObject({
      unwantedSince: start,
    });
  });

  test('refuses a domain of the file until it has left it', async () => {
    await adoptFile([{ domain: fileDomain, hosts: [] }], bench.needs);
    await expect(bench.run(domainsRemove, { name: 'example.org', force: true })).rejects.toMatchObject({
      code: 'command.conflict',
    });
    await adoptFile([], bench.needs);
    await bench.run(domainsRemove, { name: 'example.org' });
    expect((await bench.run(domainsList, {})).domains).toEqual([]);
  });
});
