import { startRedis } from '../support/redis.ts';
import { describeStore } from './suite.ts';

describeStore('a plain Redis that syncs always', async () => {
  const redis = await startRedis();
  return { redis: { url: redis.url }, stop: redis.stop };
});

describeStore('a Valkey with WAITAOF', async () => {
  const valkey = await startRedis({ valkey: true, args: ['--appendfsync', 'everysec'] });
  return { redis: { url: valkey.url }, stop: valkey.stop };
});
