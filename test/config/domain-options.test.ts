import { expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

const around = `${issuers}dnsAccounts: { dns: { provider: exec, command: [/bin/true] } }\n`;

test('names left out and keys kept are said for all domains or for one', async () => {
  const file = await write(`${around}defaults: { partial: true }
domains:
  - name: example.com
    reuseKey: true
  - name: example.org
    partial: false
`);
  const { domains, settings } = await file.load();
  expect(settings.defaults).toMatchObject({ partial: true, reuseKey: undefined });
  expect(domains.map(({ domain }) => [domain.partial, domain.reuseKey])).toEqual([
    [true, true],
    [false, undefined],
  ]);
});

test('a challenge of a draft is taken where the file names it, also for wildcards, and nowhere else', async () => {
  const domain = (name: string, challenge: string) =>
    `{ name: ${name}, challenge: ${challenge}, dnsAccount: dns, mode: wildcard, hosts: ["*.a.${name}"] }`;
  const both = `domains: [${domain('a.test', 'dns-account-01')}, ${domain('b.test', 'dns-persist-01')}]\n`;
  const { domains, settings } = await (
    await write(`${around}experimental: [dns-account-01, dns-persist-01]\n${both}`)
  ).load();
  expect(domains.map((one) => one.domain.challenge)).toEqual(['dns-account-01', 'dns-persist-01']);
  expect(settings.experimental).toEqual(['dns-account-01', 'dns-persist-01']);
  expect(await mistakesOf(`${around}experimental: [dns-persist-01]\n${both}`)).toEqual([
    expect.stringContaining(
      'domains.0.challenge: dns-account-01 is of a draft that may still change: to use it, name it under "experimental"',
    ),
  ]);
  expect(await mistakesOf(`${around}experimental: [dns-01]\n`)).toEqual([
    expect.stringContaining('experimental.0: '),
  ]);
});

test('the permission of dns-persist-01 may have an end, of days', async () => {
  const { settings } = await (await write(`${around}dnsPersist: { days: 90 }\n`)).load();
  expect(settings.permissionMs).toBe(90 * 86_400_000);
  expect((await (await write(around)).load()).settings.permissionMs).toBeUndefined();
  expect(await mistakesOf(`${around}dnsPersist: { days: 1 }\n`)).toEqual([
    expect.stringContaining('dnsPersist.days: '),
  ]);
});

test('a challenge of a draft needs a DNS account as dns-01 does', async () => {
  const text = `${issuers}experimental: [dns-persist-01]\ndomains: [{ name: a.test, challenge: dns-persist-01 }]\n`;
  expect(await mistakesOf(text)).toEqual([
    expect.stringContaining('domains.0.challenge: dns-persist-01 needs a DNS account: add "dnsAccount"'),
  ]);
});

test('agents that differ in what they allow differ in their shared configuration', async () => {
  const hash = async (text: string) => (await (await write(`${around}${text}`)).load()).sharedHash;
  expect(await hash('experimental: [dns-persist-01]\n')).not.toBe(await hash(''));
  expect(await hash('experimental: []\n')).toBe(await hash(''));
  expect(await hash('dnsPersist: { days: 90 }\n')).not.toBe(await hash(''));
});

test('a profile whose authorizations live for an hour is nothing for a DNS account that is kept by hand', async () => {
  const byHand = `${issuers}dnsAccounts: { us: { provider: manual } }\n`;
  const domain = (profile: string) =>
    `${byHand}domains: [{ name: a.test, dnsAccount: us, challenge: dns-01, mode: wildcard, profile: ${profile} }]\n`;
  for (const profile of ['tlsserver', 'shortlived'])
    expect(await mistakesOf(domain(profile))).toEqual([
      expect.stringContaining(
        `domains.0.profile: with the profile ${profile} le waits only 1 h for a TXT record, too short for a person to add it: set the profile classic, or name a DNS account that the agent can write to`,
      ),
    ]);
  const { domains, settings } = await (await write(domain('classic'))).load();
  expect(settings.dnsAccounts).toMatchObject([{ name: 'us', programmable: false }]);
  expect(domains[0]?.domain.mode).toBe('wildcard');
  // Without the challenge nobody has said that a person is to be asked.
  expect(await mistakesOf(`${byHand}domains: [{ name: a.test, dnsAccount: us, mode: wildcard }]\n`)).toEqual([
    expect.stringContaining('us is kept by hand: add "challenge: dns-01" if a person shall add a record'),
  ]);
});
