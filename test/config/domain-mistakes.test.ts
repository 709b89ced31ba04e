import { describe, expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

/** A file whose domains begin in line 6. */
const around = `${issuers}dnsAccounts: { dns: { provider: exec, command: [/bin/true] } }
deployTargets: { web: { target: files, path: /certs } }
notifiers: { mail: { notifier: email, host: mx, from: a@example.com } }
domains:
`;

describe('domains', () => {
  const long = `${'a'.repeat(60)}.`.repeat(4);
  const cases: readonly (readonly [string, string])[] = [
    ['{ hosts: [a.example.com] }', 'domains.0.name: is missing: write text'],
    ['{ name: "bad name.com" }', 'domains.0.name: is not a domain name: '],
    [
      '{ name: "*.example.com" }',
      'domains.0.name: write example.com and "mode: wildcard" instead of a wildcard',
    ],
    [
      `{ name: example.com, hosts: ["${'a'.repeat(64)}.example.com"] }`,
      'domains.0.hosts.0: is not a host name: its label',
    ],
    [
      `{ name: example.com, hosts: ["${long}example.com"] }`,
      'domains.0.hosts.0: is not a host name: it is longer than 253 characters',
    ],
    [
      '{ name: example.com, hosts: [192.0.2.1] }',
      'domains.0.hosts.0: the host 192.0.2.1 is not under example.com: move it to its own domain',
    ],
    [
      '{ name: example.com, hosts: [a.example.com, A.example.com.] }',
      'domains.0.hosts.1: the host a.example.com stands under example.com already: remove one',
    ],
    [
      '{ name: example.com, issuers: [lee] }',
      'domains.0.issuers.0: there is no issuer "lee" in issuers, did you mean "le"?',
    ],
    [
      '{ name: example.com, dnsAccount: aws }',
      'domains.0.dnsAccount: there is no DNS account "aws" in dnsAccounts (there are: dns)',
    ],
    [
      '{ name: example.com, deploy: [webb] }',
      'domains.0.deploy.0: there is no deploy target "webb" in deployTargets, did you mean "web"?',
    ],
    ['{ name: example.com, notify: [mail, mail] }', 'domains.0.notify.1: "mail" stands twice: remove one'],
    [
      '{ name: example.com, mode: wildcard }',
      'domains.0.mode: a wildcard needs a DNS account: add "dnsAccount", or use "mode: individual"',
    ],
    [
      '{ name: example.com, mode: wildcard, dnsAccount: dns, challenge: http-01 }',
      'domains.0.mode: a wildcard is only issued over dns-01, but the challenge is http-01',
    ],
    [
      '{ name: example.com, mode: wildcard, dnsAccount: dns, challenge: tls-alpn-01 }',
      'domains.0.mode: a wildcard is only issued over dns-01, but the challenge is tls-alpn-01',
    ],
    [
      '{ name: example.com, challenge: tls-alpn-01 }',
      'domains.0.challenge: tls-alpn-01 needs a listener: add "tlsAlpn01" to the configuration file, or use http-01',
    ],
    ['{ name: 192.0.2.256 }', 'domains.0.name: is not a domain name: it is neither an IP address nor a name'],
    [
      '{ name: 192.0.2.7, profile: shortlived, mode: wildcard, dnsAccount: dns }',
      'domains.0.mode: 192.0.2.7 is an IP address and has no wildcard: use the mode individual',
    ],
    [
      '{ name: "2001:DB8::7", profile: shortlived, challenge: dns-01, dnsAccount: dns }',
      'domains.0.challenge: 2001:db8::7 is an IP address, which dns-01 cannot prove: use the challenge http-01 or tls-alpn-01',
    ],
    [
      '{ name: 192.0.2.7, profile: tlsserver }',
      'domains.0.profile: le issues for IP addresses such as 192.0.2.7 only with the profile shortlived: set that one',
    ],
    [
      '{ name: 192.0.2.7 }',
      'domains.0: le issues for IP addresses such as 192.0.2.7 only with the profile shortlived',
    ],
    [
      '{ name: 192.0.2.7, profile: shortlived, hosts: [www.example.com] }',
      'domains.0.hosts.0: the host www.example.com is not under 192.0.2.7: move it to its own domain',
    ],
    [
      '{ name: example.com, hosts: ["*.example.com"], challenge: http-01 }',
      'domains.0.hosts.0: the wildcard *.example.com is only issued over dns-01',
    ],
    [
      '{ name: example.com, hosts: ["*.example.com"] }',
      'domains.0.hosts.0: the wildcard *.example.com is only issued over dns-01: add "dnsAccount"',
    ],
    [
      '{ name: example.com, challenge: dns-01 }',
      'domains.0.challenge: dns-01 needs a DNS account: add "dnsAccount"',
    ],
    [
      '{ name: example.com, keyTypes: [p256, p384] }',
      'domains.0.keyTypes: give at most one ECDSA (p256, p384) and one RSA type',
    ],
    ['{ name: example.com, contacts: [ops] }', 'domains.0.contacts.0: must be an e-mail address'],
    ['{ name: example.com, keyTypes: [] }', 'domains.0.keyTypes: must have at least one entry'],
  ];
  test.each(cases)('%s: %s', async (text, sentence) => {
    expect(await mistakesOf(`${around}  - ${text}`)).toContainEqual(
      expect.stringContaining(`6: ${sentence}`),
    );
  });

  test('one that stands twice is told with both lines', async () => {
    expect(await mistakesOf(`${around}  - { name: example.com }\n  - { name: EXAMPLE.com }`)).toEqual([
      '7: domains.1.name: the domain example.com stands in line 6 too: join the two',
    ]);
  });

  test('a host belongs to the nearest domain', async () => {
    const text = `${around}  - { name: example.com, hosts: [a.b.example.com] }\n  - { name: b.example.com }`;
    expect(await mistakesOf(text)).toEqual([
      '6: domains.0.hosts.0: the host a.b.example.com belongs to the domain b.example.com: move it there',
    ]);
  });

  test.each([
    ['keyTypes: [p256, p384]', 'keyTypes: give at most one ECDSA'],
    ['mode: wildcard, challenge: http-01', 'mode: a wildcard is only issued over dns-01'],
    ['challenge: tls-alpn-01', 'challenge: tls-alpn-01 needs a listener'],
  ])(
    'defaults with %s are told, whether or not a domain follows them, and once',
    async (defaults, sentence) => {
      const text = `${issuers}defaults: { ${defaults} }\n`;
      const told = [expect.stringContaining(`defaults.${sentence}`)];
      expect(await mistakesOf(text)).toEqual(told);
      expect(await mistakesOf(`${text}domains: [{ name: example.com }, { name: example.net }]\n`)).toEqual(
        told,
      );
    },
  );

  test('defaults may leave the DNS account to the domains', async () => {
    const text = around.replace('domains:', 'defaults: { mode: wildcard, challenge: dns-01 }\ndomains:');
    const { domains } = await (await write(`${text}  - { name: example.com, dnsAccount: dns }`)).load();
    expect(domains).toHaveLength(1);
    expect(await mistakesOf(`${text}  - { name: example.com }`)).toEqual([
      expect.stringContaining('domains.0: dns-01 needs a DNS account'),
    ]);
  });

  test('a mistake in the account is not told again at the domain that uses it', async () => {
    const text = `${issuers}dnsAccounts: { dns: { provider: rout53 } }\ndomains: [{ name: example.com, dnsAccount: dns, mode: wildcard }]`;
    expect(await mistakesOf(text)).toHaveLength(1);
  });
});
