import { describe, expect, test } from 'vitest';
import { issuers, mistakesOf, write } from './write.ts';

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
    '7: issuers.le.preset: there is no preset "letsencript", did you mean "letsencrypt"?',
    '9: http01.port: must be at most 65535',
    '10: roles.1: must be one of scheduler, worker, edge, did you mean "scheduler"?',
    '13: domains.0.modus: unknown key, did you mean "mode"?',
    '15: domains.0.hosts.0: the host www.example.org is not under example.com: move it to its own domain',
  ]);
});

test('what keeps a part from being read hides no other mistake of it', async () => {
  expect(
    await mistakesOf(`redis:
  cluster: [a]
  tls: { ca: gone.pem }
issuers:
  a: { trust: gone.pem }
  b: { preset: zerossl, eab: { keyId: k }, trust: gone.pem, agreeToTerms: true }
  c: { preset: google, agreeToTerms: false }
dnsPersist: {}
tlsAlpn01: { forward: 7, proxyProtocol: true, port: 80 }
domains:
  - hosts: [bad_name.example.com]
    issuers: [d]
    deploy: [nowhere]
  - { name: 7, profile: {}, notify: [nobody], issuers: [a] }
`),
  ).toEqual([
    '2: redis.cluster.0: must be host:port or a mapping with host and port',
    expect.stringMatching(/^3: redis\.tls\.ca: the file .*\/gone\.pem is not there$/),
    '5: issuers.a: give a preset (letsencrypt, zerossl, google, sslcom) or the directory URL of a CA',
    "5: issuers.a.agreeToTerms: must be true: read the CA's terms of service, then agree to them here",
    expect.stringMatching(/^5: issuers\.a\.trust: the file .*\/gone\.pem is not there$/),
    '6: issuers.b.eab.hmacKey: is missing: write text, { env: NAME } or { file: PATH }',
    expect.stringMatching(/^6: issuers\.b\.trust: the file .*\/gone\.pem is not there$/),
    "7: issuers.c.agreeToTerms: must be true: read the CA's terms of service, then agree to them here",
    '7: issuers.c: google opens accounts only with external account binding: add eab with keyId and hmacKey',
    '8: dnsPersist.days: is missing: write a number',
    '9: tlsAlpn01.forward: must be text: put it in quotes',
    '9: tlsAlpn01.port: http01 has the port 80 already: choose another one',
    '11: domains.0.name: is missing: write text',
    '11: domains.0.hosts.0: is not a host name: it has an underscore, which certificates cannot hold',
    '12: domains.0.issuers.0: there is no issuer "d" in issuers, did you mean "a"?',
    '13: domains.0.deploy.0: there is no deploy target "nowhere" in deployTargets',
    '14: domains.1.name: must be text: put it in quotes',
    '14: domains.1.profile.name: is missing: write text',
    '14: domains.1.notify.0: there is no notifier "nobody" in notifiers',
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
    [
      '{ preset: digicert, agreeToTerms: true }',
      'issuers.x.preset: there is no preset "digicert" (known: google, letsencrypt, letsencrypt-staging, sslcom, sslcom-rsa, zerossl); or give the directory URL of the CA',
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
    ...['c2hvcnQ', `${'A'.repeat(43)}+`, `${'A'.repeat(45)}`].map((key): readonly [string, string] => [
      `{ preset: google, eab: { keyId: a, hmacKey: "${key}" }, agreeToTerms: true }`,
      'issuers.x.eab.hmacKey: must be as the CA shows it: base64url (letters, digits, "-" and "_") of at least 32 bytes',
    ]),
    [
      `{ preset: google, eab: { keyId: " ", hmacKey: ${'A'.repeat(43)} }, agreeToTerms: true }`,
      'issuers.x.eab.keyId: must be the key id that the CA gave you',
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
      'deployTargets.a.target: there is no deploy target "ftp" (known: aws-acm, exec, files',
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
    [
      'notifiers: { a: { notifier: email, host: h, form: "a@example.com" } }',
      'notifiers.a.form: unknown key, did you mean "from"?',
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
    ['redis: { url: "rediss://x", tls: { cert: a.pem } }', 'redis.tls: cert and key belong together'],
    [
      'redis: { url: "redis://x", sentinelPassword: secret-word }',
      'redis: sentinelUsername, sentinelPassword and sentinelTls are for the servers in sentinels',
    ],
    ['resolvers: [dns.example]', 'resolvers.0: must be like 192.0.2.1'],
    ['network: { allowPrivate: [10.0.0.0/40] }', 'network.allowPrivate.0: must be a range like 10.0.0.0/8'],
    ['network: { proxy: "socks5://x" }', 'network.proxy: must be a URL: http:// or https://'],
    ['http01: { prot: 80 }', 'http01.prot: unknown key, did you mean "port"?'],
    ['http01: { Port: 80 }', 'http01.Port: unknown key, did you mean "port"?'],
    ['network: { proxy: "http://a b" }', 'network.proxy: must be a URL: http:// or https://'],
    [
      'defaults: { challenge: tls-alpn-01 }',
      'defaults.challenge: tls-alpn-01 needs a listener: add "tlsAlpn01" to the configuration file, or use http-01',
    ],
    ['tlsAlpn01: { port: 80 }', 'tlsAlpn01.port: http01 has the port 80 already: choose another one'],
    ['tlsAlpn01: { address: localhost }', 'tlsAlpn01.address: must be an IP address of this machine'],
    ['tlsAlpn01: { forward: "127.0.0.1" }', 'tlsAlpn01.forward: must be host:port or a mapping'],
    ['tlsAlpn01: { forward: "127.0.0.1:70000" }', 'tlsAlpn01.forward: there is no port 70000'],
    ['tlsAlpn01: { forward: "localhost:443" }', 'tlsAlpn01.forward: is the listener itself'],
    [
      'tlsAlpn01: { address: 192.0.2.7, forward: "192.0.2.7:443" }',
      'tlsAlpn01.forward: is the listener itself: name the port at which your own server listens',
    ],
    [
      'tlsAlpn01: { proxyProtocol: true }',
      'tlsAlpn01.proxyProtocol: says how to pass connections on: add "forward"',
    ],
    ['http01: { address: localhost }', 'http01.address: must be an IP address of this machine'],
    ['concurrency: { issuance: 0 }', 'concurrency.issuance: must be at least 1'],
    ['masterKey: secret', 'masterKey: must be { file: PATH } or { env: NAME }'],
    ['preflight: maybe', 'preflight: must be on, warn or off'],
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
