import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Secret } from '../../src/core/secret.ts';
import { canary } from '../support/canaries.ts';
import { createAuthority } from '../support/tls.ts';
import { issuers, write } from './write.ts';

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
    const options = config.notifiers[0]?.options as Record<'url' | 'secret', Secret<string>>;
    expect([options.url.reveal(), options.secret.reveal()]).toEqual([`https://x.example/${two}`, three]);
    expect(JSON.stringify({ config, sharedHash })).not.toMatch(/canary-/);
  });

  test('of a proxy stand in its URL, which does not print', async () => {
    const password = canary();
    const file = await write(`${issuers}network: { proxy: { env: PROXY } }`);
    const { config } = await file.load({ PROXY: `http://agent:${password}@proxy.example:3128` });
    expect(config.network.proxyUrl?.reveal()).toContain(password);
    expect(config.issuers[0]?.proxyUrl?.reveal()).toContain(password);
    expect(JSON.stringify(config)).not.toContain(password);
  });

  test('may come with the URL of Redis, its user and a key id from outside as well', async () => {
    const [password, hmacKey] = [canary(), canary() + canary()];
    const file = await write(`redis: { url: { env: REDIS_URL } }
issuers: { g: { preset: google, agreeToTerms: true, eab: { keyId: { env: KID }, hmacKey: { env: HMAC } } } }`);
    const { config } = await file.load({
      REDIS_URL: `rediss://agent:${password}@db.example:6380`,
      KID: 'kid-1',
      HMAC: hmacKey,
    });
    expect([config.redis.url, config.redis.password?.reveal()]).toEqual([
      'rediss://db.example:6380',
      password,
    ]);
    expect(config.issuers[0]?.eab?.keyId).toBe('kid-1');
    expect(config.issuers[0]?.eab?.hmacKey.reveal()).toBe(hmacKey);
  });

  test('do not go where they would be shown: that is a mistake with its line, and nothing is read', async () => {
    const file = await write(`${issuers}defaults: { profile: { env: TOKEN } }
dnsAccounts:
  dns:
    provider: exec
    command:
      - dns-hook
      - { env: TOKEN }
domains:
  - name: { file: token.txt }
`);
    const sentence =
      'is no secret and may be shown, so { env: NAME } and { file: PATH } do not go here: write the value itself';
    expect(await file.mistakes({ TOKEN: canary() })).toEqual([
      `2: defaults.profile: ${sentence}`,
      `8: dnsAccounts.dns.command.1: ${sentence}`,
      `10: domains.0.name: ${sentence}`,
    ]);
  });

  test('in the URL of Redis move beside it', async () => {
    const password = canary();
    const file = await write(`${issuers}\nredis: { url: "redis://agent:${password}@db.example:6379/2" }`);
    const { redis } = (await file.load()).config;
    expect(redis.url).toBe('redis://db.example:6379/2');
    expect([redis.username, redis.password?.reveal()]).toEqual(['agent', password]);
  });

  test('of TLS and trust are read from files beside the configuration', async () => {
    const { certificatePem: root, issue } = createAuthority();
    const { certificatePem, privateKeyPem } = issue(['db.example']);
    const file = await write(
      `issuers: { le: { directory: https://ca.example/dir, trust: roots.pem, agreeToTerms: true } }
redis: { url: rediss://db.example, tls: { ca: ca.pem, cert: cert.pem, key: key.pem } }`,
      { 'roots.pem': root, 'ca.pem': root, 'cert.pem': certificatePem, 'key.pem': privateKeyPem },
    );
    const { issuers: read, redis } = (await file.load()).config;
    const given = [read[0]?.trustPem, redis.tls?.ca, redis.tls?.cert, redis.tls?.key?.reveal()];
    const written = [root, root, certificatePem, privateKeyPem];
    expect(given).toEqual(written.map((pem) => pem.trimEnd()));
  });

  test('that are not what they are to be are mistakes, and are not quoted', async () => {
    const { certificatePem: root, issue } = createAuthority();
    const file = await write(
      `issuers: { le: { directory: https://ca.example/dir, trust: key.pem, agreeToTerms: true } }
redis: { url: rediss://db.example, tls: { ca: cut.pem, cert: cert.pem, key: cert.pem } }`,
      { 'key.pem': issue(['a']).privateKeyPem, 'cert.pem': root, 'cut.pem': root.replace(/^MI.{20}/m, 'MI') },
    );
    const at = (name: string) => join(file.folder, name);
    expect(await file.mistakes()).toEqual([
      `1: issuers.le.trust: the file ${at('key.pem')} holds no certificate in PEM`,
      `2: redis.tls.ca: the file ${at('cut.pem')} holds a certificate that is damaged`,
      `2: redis.tls.key: the file ${at('cert.pem')} holds no private key in PEM without a passphrase`,
    ]);
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
