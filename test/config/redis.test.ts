import { expect, test } from 'vitest';
import { canary } from '../support/canaries.ts';
import { issuers, mistakesOf, write } from './write.ts';

test('sentinels have a user, a password and TLS of their own', async () => {
  const [password, sentinelPassword] = [canary(), canary()];
  const file = await write(`${issuers}
redis:
  sentinels: ["sentinel-1.internal:26379", { host: "2001:db8::1", port: 26379 }]
  sentinelName: acme
  sentinelUsername: watcher
  sentinelPassword: { env: SENTINEL_PASSWORD }
  sentinelTls: { servername: sentinel.internal }
  username: acme-agent
  password: { env: REDIS_PASSWORD }
  tls: { servername: redis.internal }
`);
  const { config } = await file.load({ SENTINEL_PASSWORD: sentinelPassword, REDIS_PASSWORD: password });
  expect(config.redis).toMatchObject({
    sentinels: [
      { host: 'sentinel-1.internal', port: 26379 },
      { host: '2001:db8::1', port: 26379 },
    ],
    sentinelName: 'acme',
    sentinelUsername: 'watcher',
    sentinelTls: { servername: 'sentinel.internal' },
    username: 'acme-agent',
    tls: { servername: 'redis.internal' },
  });
  expect(config.redis.sentinelPassword?.reveal()).toBe(sentinelPassword);
  expect(config.redis.password?.reveal()).toBe(password);
  expect(JSON.stringify(config.redis)).not.toContain(sentinelPassword);
});

test('what contradicts in the section hides no mistake of its files, nor the other way round', async () => {
  const mistakes = await mistakesOf(`${issuers}
redis:
  url: redis://redis.internal
  cluster: [redis-1.internal:6379]
  sentinelName: acme
  sentinelTls: { ca: sentinel-ca.pem }
  tls: { ca: ca.pem, cert: client.pem, key: 7 }
`);
  expect(mistakes.map((line) => line.replace(/the file \S+\//, 'the file '))).toEqual([
    '3: redis: give one of url, sentinels and cluster',
    '3: redis: sentinels and sentinelName belong together',
    '3: redis: sentinelUsername, sentinelPassword and sentinelTls are for the servers in sentinels',
    '7: redis.sentinelTls.ca: the file sentinel-ca.pem is not there',
    '8: redis.tls.key: must be text: put it in quotes',
    '8: redis.tls.ca: the file ca.pem is not there',
    '8: redis.tls.cert: the file client.pem is not there',
  ]);
});

test('a certificate for Redis needs its key', async () => {
  const mistakes = await mistakesOf(
    `${issuers}redis: { url: rediss://redis.internal, tls: { cert: client.pem } }`,
  );
  expect(mistakes).toEqual([
    '2: redis.tls: cert and key belong together',
    expect.stringContaining('client.pem is not there'),
  ]);
});
