import { startCluster } from './servers.ts';
import { describeStore } from './suite.ts';

describeStore('a cluster of three', async () => {
  const cluster = await startCluster();
  return { redis: { cluster: cluster.endpoints }, stop: cluster.stop };
});

describeStore('a Valkey cluster with WAITAOF', async () => {
  const cluster = await startCluster({ valkey: true });
  return { redis: { cluster: cluster.endpoints }, stop: cluster.stop };
});
