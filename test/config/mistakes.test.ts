import { describe, expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

/** A file whose domains begin in line 6. */
const around = `${issuers}dnsAccounts: { dns: { provider: exec, command: [/bin/true] } }
deployTargets: { web: { target: files, path: /certs } }
notifiers: { mail: { notifier: email, host: mx, from: a@example.com } }
domains:
`;

test('every mistake is told at once, in the order of the file, with line, path and remedy', async () => {
  expect(
    await mistakesOf(`dataDir: 7
redis:
  url: http://redis
  durabilty: strict
issuers:
  le:
    preset: letsencript
    agreeToTerms: true
http01: { port: 70000 }
roles: [worker, schedule]
domains:
  - name: example.com
    modus: auto
    hosts:
      - www.example.org
`),
  ).toEqual([
    '1: dataDir: must be text: put it in quotes',
    '3: redis.url: must be a URL: redis://, rediss:// or unix://',
    '4: redis.durabilty: unknown key, did you mean "durability"?',
    '7: issuers.le.preset: there is no preset "letsencript", did you mean "letsencrypt"?; or give the directory URL of the CA',
    '9: http01.port: must be at most 65535',
    '10: roles.1: must be one of scheduler, worker, edge, did you mean "scheduler"?',
    '13: domains.0.modus: unknown key, did you mean "mode"?',
    '15: domains.0.hosts.0: the host www.example.org is not under example.com: move it to its own domain',
  ]);
});

test('the error has a code of its own and begins each line with the file', async () => {
  const file = await write('nonsense: 1\n');
  const error = file.load();
  await expect(error).rejects.toMatchObject({
    code: 'config.invalid',
    facts: { mistakes: 2 },
    message: expect.stringMatching(
      /^\/.*acme-agent\.yaml:1: nonsense: .*\n\/.*acme-agent\.yaml:1: issuers: /,
    ),
  });
});

describe('what is not YAML', () => {
  test.each([
    ['issuers: [a', /^1: the indentation does not fit, or a bracket above is not closed$/],
    ['issuers:\n\tle: {}', /^2: indent with spaces, not with tabs$/],
    ['a: 1\n---\nb: 1', /^2: the file must hold one document/],
    ['redis:\n  password: @canary-secret', /^2: a value that starts with "@" or "`" must be in quotes$/],
    ['redis:\n  password: *canary-secret', /^2: a value that starts with "\*" must be in quotes$/],
    ['redis:\n  password: !canary-secret', /^2: a value that starts with "!" must be in quotes$/],
    ['redis:\n  password: canary-secret: x', /^2: a value with ": " in it must be in quotes/],
  ])('%j is told with its line and without quoting it', async (text, sentence) => {
    const found = await mistakesOf(text);
    expect(found).toContainEqual(expect.stringMatching(sentence));
    expect(found.join()).not.toContain('canary-secret');
  });

  test('a key that stands twice is named, and the rest is checked all the same', async () => {
    expect(await mistakesOf(`${issuers}log: { level: info }\nlog: { level: loud }\n`)).toEqual([
      '3: the key "log" stands twice: remove one',
      '3: log.level: must be one of debug, info, warn, error',
    ]);
  });

  test('an empty file, a list, a text: what is wanted is said', async () => {
    expect(await mistakesOf('')).toContainEqual('1: must be a mapping, not empty');
    expect(await mistakesOf('- a\n')).toContainEqual('1: must be a mapping, not a list');
    expect(await mistakesOf('hello\n')).toContainEqual('1: must be a mapping, not text');
  });
});

describe('issuers', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{}', "issuers.x.agreeToTerms: must be true: read the CA's terms of service, then agree to them here"],
    [
      '{ agreeToTerms: true }',
      'issuers.x: give a preset (letsencrypt, zerossl, google, sslcom) or the directory URL of a CA',
    ],
    ['{ preset: buypass, agreeToTerms: true }', 'issuers.x.preset: Buypass has closed its ACME service'],
    [
      '{ directory: "https://api.buypass.com/acme/directory", agreeToTerms: true }',
      'issuers.x.directory: Buypass has closed',
    ],
    [
      '{ preset: zerossl, agreeToTerms: true }',
      'issuers.x: zerossl opens accounts only with external account binding: add eab',
    ],
    [
      '{ preset: google, eab: { keyId: 12, hmacKey: k }, agreeToTerms: true }',
      'issuers.x.eab.keyId: must be text: put it in quotes',
    ],
    [
      '{ preset: letsencrypt, directory: "https://a.example", agreeToTerms: true }',
      'issuers.x.directory: give a preset or a directory, not both',
    ],
    [
      '{ preset: letsencrypt, email: nobody, agreeToTerms: true }',
      'issuers.x.email: must be an e-mail address',
    ],
    ['{ preset: letsencrypt, trust: none.pem, agreeToTerms: true }', 'issuers.x.trust: the file '],
    [
      '{ preset: google, eab: { keyId: a, hmacKey: [] }, agreeToTerms: true }',
      'issuers.x.eab.hmacKey: must be text, { env: NAME } or { file: PATH }, not a list',
    ],
  ];
  test.each(cases)('%s: %s', async (text, sentence) => {
    expect(await mistakesOf(`issuers: { x: ${text} }`)).toContainEqual(
      expect.stringContaining(`1: ${sentence}`),
    );
  });

  test('there must be one', async () => {
    expect(await mistakesOf('issuers: {}\n')).toEqual([
      '1: issuers: there must be at least one issuer, such as "letsencrypt: { preset: letsencrypt }"',
    ]);
  });

  test("when there are several, the order is the operator's to say", async () => {
    const two = `issuers: { a: { preset: letsencrypt, agreeToTerms: true }, b: { preset: letsencrypt-staging, agreeToTerms: true } }
domains: [{ name: example.com }]`;
    expect(await mistakesOf(two)).toEqual([
      '2: domains.0: several issuers are defined: say in "issuers" (here or under "defaults") which ones, in order',
    ]);
  });
});

describe('accounts, targets and notifiers', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      'dnsAccounts: { a: { provider: rout53 } }',
      'dnsAccounts.a.provider: there is no DNS provider "rout53", did you mean "route53"?',
    ],
    [
      'deployTargets: { a: { target: ftp, path: /x } }',
      'deployTargets.a.target: there is no deploy target "ftp" (known: files',
    ],
    ['deployTargets: { a: { path: /x } }', 'deployTargets.a.target: is missing: write text'],
    [
      'deployTargets: { a: { target: files, path: certs } }',
      'deployTargets.a.path: must be an absolute path',
    ],
    [
      'deployTargets: { a: { target: files, path: /x, reloadd: [x] } }',
      'deployTargets.a.reloadd: unknown key, did you mean "reload"?',
    ],
    [
      'notifiers: { a: { notifier: webhook, url: "https://x.example/hooks/7f3a9c2e" } }',
      'notifiers.a.secret: is missing: write text, { env: NAME } or { file: PATH }',
    ],
    ['notifiers: { a: webhook }', 'notifiers.a: must be a mapping, not text'],
    ['notifiers: { "a b": { notifier: webhook } }', 'notifiers.a b: this name may hold only letters'],
    [
      'dnsAccounts: { a: { provider: exec, command: [x], zones: example.com } }',
      'dnsAccounts.a.zones: must be a list, not text',
    ],
  ];
  test.each(cases)('%s: %s', async (text, sentence) => {
    expect(await mistakesOf(`${issuers}${text}`)).toContainEqual(expect.stringContaining(`2: ${sentence}`));
  });
});

describe('other parts', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['redis: { sentinels: ["a:1"] }', 'redis: sentinels and sentinelName belong together'],
    ['redis: { url: "redis://x", cluster: ["a:1"] }', 'redis: give one of url, sentinels and cluster'],
    ['redis: { prefix: acme }', 'redis.prefix: must hold one hash tag, like {acme}'],
    ['redis: { cluster: [a] }', 'redis.cluster.0: must be host:port or a mapping with host and port'],
    ['redis: { url: "rediss://x", tls: { cert: a.pem } }', 'redis: tls.cert and tls.key belong together'],
    ['resolvers: [dns.example]', 'resolvers.0: must be like 192.0.2.1'],
    ['network: { allowPrivate: [10.0.0.0/40] }', 'network.allowPrivate.0: must be a range like 10.0.0.0/8'],
    ['network: { proxy: "socks5://x" }', 'network.proxy: must be a URL: http:// or https://'],
    ['http01: { address: localhost }', 'http01.address: must be an IP address of this machine'],
    ['concurrency: { issuance: 0 }', 'concurrency.issuance: must be at least 1'],
    ['masterKey: secret', 'masterKey: must be { file: PATH } or { env: NAME }'],
    ['renewal: { ceilingDays: soon }', 'renewal.ceilingDays: must be a number, not text'],
    [
      'defaults: { issuers: [lee] }',
      'defaults.issuers.0: there is no issuer "lee" in issuers, did you mean "le"?',
    ],
    ['plugins: [./none.js]', 'plugins.0: the plugin ./none.js is not found'],
    ['domains: { name: example.com }', 'domains: must be a list, not a mapping'],
  ];
  test.each(cases)('%s: %s', async (text, sentence) => {
    expect(await mistakesOf(`${issuers}${text}`)).toContainEqual(expect.stringContaining(`2: ${sentence}`));
  });
});

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
      'domains.0.hosts.0: is not a host name: it is an IP address',
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

  test('a mistake in the account is not told again at the domain that uses it', async () => {
    const text = `${issuers}dnsAccounts: { dns: { provider: rout53 } }\ndomains: [{ name: example.com, dnsAccount: dns, mode: wildcard }]`;
    expect(await mistakesOf(text)).toHaveLength(1);
  });
});
