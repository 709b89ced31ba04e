import type { Endpoint } from '../../src/store/address.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

export interface TestCluster {
  readonly nodes: readonly TestRedis[];
  readonly endpoints: readonly Endpoint[];
  stop(): Promise<void>;
}

const slots = 16_384;
const host = '127.0.0.1';

/** Three masters that share the slots. */
export async function startCluster(options: { readonly valkey?: boolean } = {}): Promise<TestCluster> {
  const busPorts = [await freePort(), await freePort(), await freePort()];
  const sync = options.valkey === true ? 'everysec' : 'always';
  const nodes = await Promise.all(
    busPorts.map((bus) =>
      startRedis({
        valkey: options.valkey,
        args: ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--appendfsync', sync],
      }),
    ),
  );
  const [first] = nodes;
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((index * slots) / nodes.length);
    const to = Math.floor(((index + 1) * slots) / nodes.length) - 1;
    await node.cli('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await first?.cli('CLUSTER', 'MEET', host, String(node.port), String(busPorts[index]));
  }
  for (const node of nodes)
    await until('the cluster is up', async () => {
      const info = String(await node.cli('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
    });
  return {
    nodes,
    endpoints: nodes.map(({ port }) => ({ host, port })),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

export interface TestSentinel {
  readonly master: TestRedis;
  readonly replica: TestRedis;
  readonly sentinels: readonly Endpoint[];
  stop(): Promise<void>;
}

/** A master, its replica, and one sentinel that promotes the replica soon after the master is gone. */
export async function startSentinel(): Promise<TestSentinel> {
  const master = await startRedis();
  const replica = await startRedis({ args: ['--replicaof', host, String(master.port)] });
  await until('the replica follows', async () =>
    String(await replica.cli('INFO', 'replication')).includes('master_link_status:up'),
  );
  const sentinel = await startRedis({
    sentinel: true,
    config: [
      `sentinel monitor mymaster ${host} ${master.port} 1`,
      'sentinel down-after-milliseconds mymaster 500',
      'sentinel failover-timeout mymaster 5000',
    ],
  });
  await until('the sentinel knows the replica', async () =>
    String(await sentinel.cli('SENTINEL', 'REPLICAS', 'mymaster')).includes(String(replica.port)),
  );
  return {
    master,
    replica,
    sentinels: [{ host, port: sentinel.port }],
    stop: async () => {
      await sentinel.stop();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}
