import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { loadConfig, readEnvironment } from '../../src/config/load.ts';
import { canary } from '../support/canaries.ts';
import { createAuthority } from '../support/tls.ts';
import { issuers, write } from './write.ts';

const example = new URL('../../acme-agent.example.yaml', import.meta.url).pathname;

function exampleEnv() {
  return {
    // As long as a CA makes them.
    GOOGLE_EAB_KEY: canary() + canary(),
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
    answersTlsAlpn: false,
    issuers: ['letsencrypt', 'google'],
    issuerFacts: {
      letsencrypt: {
        directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
        mark: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
      google: expect.objectContaining({ directoryUrl: 'https://dv.acme-v02.api.pki.goog/directory' }),
    },
    dnsAccounts: [
      {
        name: 'aws',
        zones: ['example.com'],
        programmable: true,
        mark: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
    deployTargets: ['web'],
    targetMarks: { web: expect.stringMatching(/^[0-9a-f]{16}$/) },
    notifiers: ['mail', 'platform'],
    renewalCeilingMs: 30 * 86_400_000,
    preflight: 'on',
    retentionMs: 180 * 86_400_000,
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

const rootPem = createAuthority().certificatePem;

test('an issuer is marked by its directory, account and trust, not by what is of this machine alone', async () => {
  const marks = async (more: string) => {
    const file = await write(`issuers: { x: { agreeToTerms: true, ${more} } }`, { 'a.pem': rootPem });
    return (await file.load()).settings.issuerFacts?.x;
  };
  const [key, other] = [canary() + canary(), canary() + canary()];
  const eab = (hmacKey: string) => `eab: { keyId: k, hmacKey: "${hmacKey}" }`;
  const base = 'directory: "https://ca.example/dir"';
  const all = [base, 'preset: letsencrypt', `${base}, email: a@example.com`, `${base}, trust: a.pem`];
  const different = await Promise.all([...all, `${base}, ${eab(key)}`, `${base}, ${eab(other)}`].map(marks));
  expect(new Set(different.map((facts) => facts?.mark)).size).toBe(6);
  expect(await marks(`${base}, proxy: "http://proxy.example:1"`)).toEqual(different[0]);
  expect(different[0]?.directoryUrl).toBe('https://ca.example/dir');
});

test('relative paths start at the folder of the file', async () => {
  const file = await write(
    `dataDir: data
masterKey: { file: ./master }
redis: { serverPath: bin/redis-server }
issuers: { x: { directory: "https://ca.example/dir", trust: roots.pem, agreeToTerms: true } }
`,
    { 'roots.pem': rootPem },
  );
  expect((await file.load()).config).toMatchObject({
    dataDir: join(file.folder, 'data'),
    masterKey: { file: join(file.folder, 'master') },
    redis: { serverPath: join(file.folder, 'bin/redis-server') },
    issuers: [{ trustPem: rootPem.trimEnd() }],
  });
});

test('the proxy of the network is that of each CA without one of its own', async () => {
  const file = await write(`network: { proxy: "http://proxy.example:3128" }
issuers:
  a: { preset: letsencrypt, agreeToTerms: true }
  b: { preset: letsencrypt, agreeToTerms: true, proxy: "http://other.example:3128" }
`);
  const { config } = await file.load();
  expect(config.issuers.map(({ proxyUrl }) => proxyUrl?.reveal())).toEqual([
    'http://proxy.example:3128',
    'http://other.example:3128',
  ]);
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
    advice: expect.stringContaining('--config FILE'),
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
