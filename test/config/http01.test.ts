import { expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

const domains =
  'domains: [{ name: example.com, hosts: [example.com] }, { name: example.org, redirect: off }]\n';
const load = async (text: string) => (await write(`${issuers}${text}`)).load();

test('port 80 sends to port 443, trusts nobody and speaks of no HSTS, unless the file says so', async () => {
  const { config } = await load('');
  expect(config.http01).toEqual({ port: 80, address: '::', httpsPort: 443, trustedProxies: [] });
  const { config: said } = await load(
    'http01: { httpsPort: 8443, trustedProxies: [10.0.0.0/8, "::1"], hsts: { includeSubDomains: true } }\n',
  );
  expect(said.http01).toMatchObject({
    httpsPort: 8443,
    trustedProxies: ['10.0.0.0/8', '::1'],
    hsts: { days: 180, includeSubDomains: true, preload: false },
  });
});

test('K5 a domain has its own redirect, or that of the defaults; numbers and "off" are read as YAML has them', async () => {
  const { settings, domains: read } = await load(`defaults: { redirect: 426 }\n${domains}`);
  expect(settings.defaults.redirect).toBe('426');
  expect(read.map(({ domain }) => domain.redirect)).toEqual(['426', 'off']);
  const { domains: unsaid } = await load('domains: [{ name: example.com }]\n');
  expect(unsaid[0]?.domain.redirect).toBeUndefined();
});

test('agents agree on redirects, and each has its own port 80', async () => {
  const [one, other] = [
    await load(`http01: { port: 8080, httpsPort: 8443 }\n${domains}`),
    await load(domains),
  ];
  expect(one.sharedHash).toBe(other.sharedHash);
  expect((await load(`defaults: { redirect: 301 }\n${domains}`)).sharedHash).not.toBe(one.sharedHash);
});

test('what makes no sense of port 80 is told', async () => {
  expect(
    await mistakesOf(`${issuers}http01:
  trustedProxies: [10.0.0.0/40, proxy.internal]
  httpsPort: 0
  hsts: { preload: true, days: 30 }
defaults: { redirect: 303 }
domains: [{ name: example.com, redirect: yes }]
`),
  ).toEqual([
    '3: http01.trustedProxies.0: must be a range like 10.0.0.0/8 or fd00::/8',
    '3: http01.trustedProxies.1: must be a range like 10.0.0.0/8 or fd00::/8',
    '4: http01.httpsPort: must be at least 1',
    '5: http01.hsts.preload: needs includeSubDomains: true and days of at least 365',
    '6: defaults.redirect: must be 301, 302, 307, 308, 426 (Upgrade Required) or off',
    '7: domains.0.redirect: must be 301, 302, 307, 308, 426 (Upgrade Required) or off',
  ]);
});
