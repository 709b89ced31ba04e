import { describe, expect, test } from 'vitest';
import type { Settings } from '../../src/core/types.ts';
import type { OperationNeeds } from '../../src/operations/define.ts';
import { domainsAdd, domainsSet, domainsShow } from '../../src/operations/domains.ts';
import { hostsAdd, hostsRemove } from '../../src/operations/hosts.ts';
import { issue } from '../../src/operations/issue.ts';
import { bench, settings, useBench } from './fixture.ts';

useBench();

const directoryUrl = 'https://acme-v02.api.letsencrypt.org/directory';
const issuerFacts = { letsencrypt: { directoryUrl, mark: 'm' } };

/** Of a file with other settings. */
function needs(change: Partial<Settings>): OperationNeeds {
  return { ...bench.needs, settings: () => ({ ...settings, ...change }) };
}

describe('an IP address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0::7', '2001:db8::7'],
  ])('%s is a domain of its own, whose one host is itself', async (written, name) => {
    await bench.run(domainsAdd, { name: written, dnsAccount: 'route53' });
    expect(await bench.run(hostsAdd, { names: [written] })).toEqual({
      added: [name],
      certificates: [`${name}/${name}/ec`],
    });
    const { policies } = await bench.run(domainsShow, { name: written });
    expect(policies).toEqual([
      { id: `${name}/${name}`, domain: name, label: name, names: [name], challenge: 'http-01' },
    ]);
    expect((await bench.needs.certificates.lineage(`${name}/${name}/ec`))?.wanted.names).toEqual([name]);
    expect(await bench.run(hostsRemove, { names: [name] })).toEqual({ removed: [name] });
  });

  test('is under no DNS name, and no DNS name or other address is under it', async () => {
    await bench.run(domainsAdd, { name: 'example.com' });
    await bench.run(domainsAdd, { name: '192.0.2.7' });
    await expect(bench.run(hostsAdd, { names: ['192.0.2.8'] })).rejects.toMatchObject({
      code: 'command.notFound',
      message: expect.stringContaining('add it first: "domains add 192.0.2.8"'),
    });
    await expect(
      bench.run(domainsAdd, { name: '192.0.2.9', hosts: ['www.example.com'] }),
    ).rejects.toMatchObject({ code: 'command.invalid' });
    await expect(bench.run(issue, { names: ['192.0.2.7', 'example.com'] })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining('lie under different domains'),
    });
  });

  test.each([
    [{ mode: 'wildcard' }, 'has no wildcard: use the mode individual'],
    [{ challenge: 'dns-01', dnsAccount: 'route53' }, 'dns-01 cannot prove: use the challenge http-01 or'],
    [{ challenge: 'tls-alpn-01' }, 'tls-alpn-01 needs a listener: add "tlsAlpn01"'],
  ])('cannot have %j', async (wish, reason) => {
    await expect(bench.run(domainsAdd, { name: '192.0.2.7', ...wish })).rejects.toMatchObject({
      code: 'command.invalid',
      message: expect.stringContaining(reason),
    });
    expect(await bench.needs.wishes.domain('192.0.2.7')).toBeUndefined();
  });

  test('has tls-alpn-01 where the file has a listener, and the short-lived profile at Let’s Encrypt', async () => {
    const at = needs({ issuerFacts, answersTlsAlpn: true });
    const wish = { name: '192.0.2.7', challenge: 'tls-alpn-01' as const };
    await expect(domainsAdd.run(wish, at, {})).rejects.toMatchObject({
      code: 'command.invalid',
      message:
        'profile: letsencrypt issues for IP addresses such as 192.0.2.7 only with the profile shortlived: set that one, or use another issuer',
    });
    await domainsAdd.run({ ...wish, profile: 'shortlived' }, at, {});
    await expect(domainsSet.run({ name: '192.0.2.7', profile: 'tlsserver' }, at, {})).rejects.toMatchObject({
      code: 'command.invalid',
    });
  });
});

test('a certificate for more names than the profile allows is refused when it is asked for', async () => {
  const names = Array.from({ length: 26 }, (_, index) => `h${index}.example.com`);
  const at = needs({ issuerFacts });
  await domainsAdd.run({ name: 'example.com', profile: 'shortlived' }, at, {});
  await expect(issue.run({ names }, at, {})).rejects.toMatchObject({
    code: 'command.invalid',
    message:
      'letsencrypt puts at most 25 names on a certificate of the profile shortlived, not 26: ask for several certificates, or set the profile classic',
  });
  expect(await bench.needs.wishes.groups('example.com')).toEqual([]);
  await issue.run({ names: names.slice(0, 25) }, at, {});
  expect(await bench.needs.wishes.groups('example.com')).toHaveLength(1);
});
