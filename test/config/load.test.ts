import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { loadConfig, readEnvironment } from '../../src/config/load.ts';
import { canary } from '../support/canaries.ts';
import { issuers, write } from './write.ts';

const example = new URL('../../acme-agent.example.yaml', import.meta.url).pathname;

function exampleEnv() {
  return {
    GOOGLE_EAB_KEY: canary(),
    AWS_SECRET: canary(),
    SMTP_PASSWORD: canary(),
    WEBHOOK_SECRET: canary(),
  };
}

test('the example file is right', async () => {
  const { config, settings, domains } = await loadConfig(example, exampleEnv());
  expect(config.issuers.map(({ name, directoryUrl }) => [name, directoryUrl])).toEqual([
    ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
    ['google', 'https://dv.acme-v02.api.pki.goog/directory'],
  ]);
  expect(settings).toEqual({
    issuers: ['letsencrypt', 'google'],
    dnsAccounts: [{ name: 'aws', zones: ['example.com'], programmable: true }],
    deployTargets: ['web'],
    notifiers: ['mail', 'platform'],
    renewalCeilingMs: 30 * 86_400_000,
    defaults: {
      mode: 'auto',
      issuers: ['letsencrypt', 'google'],
      keyTypes: ['p256'],
      deploy: ['web'],
      notify: ['mail', 'platform'],
      contacts: [],
    },
  });
  expect(domains.map(({ domain, hosts }) => [domain.name, hosts.map(({ name }) => name)])).toEqual([
    ['example.net', ['example.net', 'www.example.net']],
    ['example.com', ['shop.example.com']],
  ]);
});

test('the least file has sound defaults', async () => {
  const file = await write(issuers);
  const { config, domains } = await file.load();
  expect(config).toMatchObject({
    dataDir: '/var/lib/acme-agent',
    masterKey: { file: '/var/lib/acme-agent/master.key' },
    redis: { prefix: '{acme}', durability: 'strict', url: undefined },
    http01: { port: 80, address: '::' },
    resolvers: [],
    network: { allowPrivate: [] },
    roles: ['scheduler', 'worker', 'edge'],
    concurrency: { commands: 4, issuance: 16, deploy: 8, notify: 4, upkeep: 2 },
    log: { level: 'info' },
  });
  expect(domains).toEqual([]);
});

test('a domain takes over what the defaults say and knows its line', async () => {
  const file = await write(`${issuers}
dnsAccounts: { dns: { provider: exec, command: [/bin/true] } }
deployTargets: { web: { target: files, path: /certs } }
defaults: { dnsAccount: dns, keyTypes: [p384, rsa2048], profile: shortlived, contacts: [a@example.com] }
domains:
  - name: Example.COM.
    hosts: [bücher.example.com]
  - name: example.org
    challenge: http-01
    mode: individual
    deploy: []
    profile: { name: tlsserver, required: true }
`);
  const { domains } = await file.load();
  const [first, second] = domains;
  expect(first).toEqual({
    domain: {
      name: 'example.com',
      mode: 'auto',
      issuers: ['le'],
      challenge: undefined,
      dnsAccount: 'dns',
      keyTypes: ['p384', 'rsa2048'],
      profile: { name: 'shortlived', required: false },
      deploy: ['web'],
      notify: [],
      contacts: ['a@example.com'],
      origin: { kind: 'file', line: 7 },
    },
    hosts: [
      {
        name: 'xn--bcher-kva.example.com',
        domain: 'example.com',
        origin: { kind: 'file', line: 8 },
        addedAt: 0,
      },
    ],
  });
  expect(second?.domain).toMatchObject({
    challenge: 'http-01',
    mode: 'individual',
    deploy: [],
    profile: { name: 'tlsserver', required: true },
  });
});

test('the proxy of the network is that of each CA without one of its own', async () => {
  const file = await write(`network: { proxy: "http://proxy.example:3128" }
issuers:
  a: { preset: letsencrypt, agreeToTerms: true }
  b: { preset: letsencrypt, agreeToTerms: true, proxy: "http://other.example:3128" }
`);
  const { config } = await file.load();
  expect(config.issuers.map(({ proxyUrl }) => proxyUrl)).toEqual([
    'http://proxy.example:3128',
    'http://other.example:3128',
  ]);
});

describe('secrets', () => {
  test('come from text, environment and files, and never print', async () => {
    const [one, two, three] = [canary(), canary(), canary()];
    const file = await write(
      `${issuers}
redis: { url: rediss://db.example:6380, password: { env: REDIS } }
notifiers:
  a: { notifier: webhook, url: { file: url.txt }, secret: "${three}" }
`,
      { 'url.txt': `https://x.example/${two}\n` },
    );
    const { config, sharedHash } = await file.load({ REDIS: one });
    expect(config.redis.password?.reveal()).toBe(one);
    expect(config.notifiers[0]?.options).toMatchObject({ url: expect.anything(), secret: expect.anything() });
    expect(JSON.stringify({ config, sharedHash })).not.toMatch(/canary-/);
  });

  test('in the URL of Redis move beside it', async () => {
    const password = canary();
    const file = await write(`${issuers}\nredis: { url: "redis://agent:${password}@db.example:6379/2" }`);
    const { redis } = (await file.load()).config;
    expect(redis.url).toBe('redis://db.example:6379/2');
    expect([redis.username, redis.password?.reveal()]).toEqual(['agent', password]);
  });

  test('of TLS and trust are read from files beside the configuration', async () => {
    const key = canary();
    const file = await write(
      `issuers: { le: { directory: https://ca.example/dir, trust: roots.pem, agreeToTerms: true } }
redis: { url: rediss://db.example, tls: { ca: ca.pem, cert: cert.pem, key: key.pem } }`,
      { 'roots.pem': 'ROOTS', 'ca.pem': 'CA', 'cert.pem': 'CERT', 'key.pem': key },
    );
    const { issuers: read, redis } = (await file.load()).config;
    expect(read[0]?.trustPem).toBe('ROOTS');
    expect([redis.tls?.ca, redis.tls?.cert, redis.tls?.key?.reveal()]).toEqual(['CA', 'CERT', key]);
  });

  test('that are missing are mistakes with their line', async () => {
    const file = await write(`${issuers}redis:
  url: redis://db.example
  password: { env: NO_SUCH }
notifiers:
  hook:
    notifier: webhook
    url: https://x.example/hooks/1b9d4e6a
    secret: { file: missing.txt }
`);
    expect(await file.mistakes({ NO_SUCH: '' })).toEqual([
      '4: redis.password: the environment variable NO_SUCH is not set',
      `9: notifiers.hook.secret: the file ${join(file.folder, 'missing.txt')} is not there`,
    ]);
  });

  test('in what cannot be read as a file are a mistake', async () => {
    const file = await write(`${issuers}redis: { url: redis://x, password: { file: . } }`);
    expect(await file.mistakes()).toEqual([
      `2: redis.password: the file ${file.folder} cannot be read (EISDIR)`,
    ]);
  });
});

describe('the master key', () => {
  test('is a file, relative to the configuration', async () => {
    const file = await write(`${issuers}masterKey: { file: keys/master }`);
    expect((await file.load()).config.masterKey).toEqual({ file: join(file.folder, 'keys/master') });
  });

  test('comes from the variable named, or from the usual one', async () => {
    const [mine, usual] = [canary(), canary()];
    const named = await write(`${issuers}masterKey: { env: MINE }`);
    const silent = await write(issuers);
    const env = { MINE: mine, ACME_AGENT_MASTER_KEY: usual };
    const reveal = async (file: typeof named) => {
      const { masterKey } = (await file.load(env)).config;
      return 'value' in masterKey ? masterKey.value.reveal() : undefined;
    };
    expect([await reveal(named), await reveal(silent)]).toEqual([mine, usual]);
    expect(await named.mistakes()).toEqual(['2: masterKey.env: the environment variable MINE is not set']);
  });
});

test('a file that is not there is said to be so', async () => {
  await expect(loadConfig('/no/such/file.yaml', {})).rejects.toMatchObject({
    code: 'config.unreadable',
    message: 'the configuration file /no/such/file.yaml is not there',
  });
});

test('the environment of the process is read in one place, and the AWS SDK kept quiet', () => {
  vi.stubEnv('SOME_SECRET', 'abc');
  const { variables, path, home, tmpdir } = readEnvironment();
  expect(variables.SOME_SECRET).toBe('abc');
  expect([path, home, tmpdir].every((text) => text.length > 0)).toBe(true);
  expect(process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED).toBe('true');
  vi.unstubAllEnvs();
});
