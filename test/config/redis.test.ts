import { expect, test } from 'vitest';
import { canary } from '../support/canaries.ts';
import { issuers, write } from './write.ts';

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
