import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { startPebble } from '../support/pebble.ts';
import { startProcess } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { projectRoot } from '../support/root.ts';

test('the demo uses a CA and a Redis that are named by URL, and leaves the Redis as it was', async () => {
  const pebble = await startPebble({ nonceReject: 5 });
  onTestFinished(() => pebble.stop());
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  await client.set('another', 'program');
  const demo = await startProcess({
    name: 'demo',
    command: [process.execPath, join(projectRoot, 'dist/test/demo/main.js')],
    env: {
      // No server program is there to be found.
      PATH: '/nonexistent',
      ACME_AGENT_TEST_RUN: undefined,
      ACME_AGENT_TEST_REDIS_URL: redis.url,
      ACME_AGENT_TEST_PEBBLE_URL: pebble.directoryUrl,
      ACME_AGENT_TEST_PEBBLE_CA: pebble.caFile,
      ACME_AGENT_TEST_PEBBLE_MANAGEMENT_URL: pebble.managementUrl,
      ACME_AGENT_TEST_PEBBLE_HTTP_PORT: String(pebble.httpPort),
      ACME_AGENT_TEST_CHALLTESTSRV_URL: pebble.dns?.managementUrl,
      ACME_AGENT_TEST_CHALLTESTSRV_DNS: pebble.dns?.dnsAddress,
    },
  });
  const { code } = await demo.exited;
  expect(demo.output()).toContain('every one trusted');
  expect(code).toBe(0);
  expect(pebble.output()).toContain('www.blog.test');
  expect(await client.info('commandstats')).toContain('cmdstat_evalsha');
  expect(await client.keys('*')).toEqual(['another']);
});
