import type { Endpoint } from '../../src/store/address.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { type RedisOptions, startRedis, type TestRedis } from '../support/redis.ts';

export interface TestCluster {
  readonly nodes: readonly TestRedis[];
  readonly endpoints: readonly Endpoint[];
  stop(): Promise<void>;
}

const slots = 16_384;
const host = '127.0.0.1';
const group = 'mymaster';

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
  /** The first master, and its replica; failovers swap them. */
  readonly master: TestRedis;
  readonly replica: TestRedis;
  readonly sentinel: TestRedis;
  readonly sentinels: readonly Endpoint[];
  /** Orders the sentinel to promote the replica of now, and resolves when the sentinel has begun. */
  failover(): Promise<void>;
  /** Resolves when the other server follows this one as far as it has got, and the sentinel knows. */
  leads(server: TestRedis): Promise<void>;
  stop(): Promise<void>;
}

/** A master, its replica, and one sentinel that promotes the replica soon after the master is gone. */
export async function startSentinel(options: RedisOptions = {}): Promise<TestSentinel> {
  const quick = { args: ['--repl-diskless-sync-delay', '0'] };
  const master = await startRedis(quick);
  const replica = await startRedis({ args: [...quick.args, '--replicaof', host, String(master.port)] });
  const sentinel = await startRedis({
    ...options,
    sentinel: true,
    config: [
      `sentinel monitor ${group} ${host} ${master.port} 1`,
      `sentinel down-after-milliseconds ${group} 500`,
      `sentinel failover-timeout ${group} 5000`,
      ...(options.config ?? []),
    ],
  });
  // It turns an old master into a replica after four of the latter. Not every version can be told.
  await sentinel.cli('SENTINEL', 'DEBUG', 'info-period', '500', 'publish-period', '500').catch(() => {});

  async function leads(server: TestRedis): Promise<void> {
    const other = server === master ? replica : master;
    await until('the sentinel knows the master', async () =>
      String(await sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group)).includes(String(server.port)),
    );
    await until('the other follows', async () => (await offset(server)) === (await offset(other)));
    await until('the sentinel sees it', async () => {
      const seen = String(await sentinel.cli('SENTINEL', 'REPLICAS', group));
      return seen.includes('role-reported,slave') && seen.includes('master-link-status,ok');
    });
  }

  await leads(master);
  return {
    master,
    replica,
    sentinel,
    sentinels: [{ host, port: sentinel.port }],
    failover: () =>
      until('the sentinel begins', async () => {
        await sentinel.cli('SENTINEL', 'FAILOVER', group);
        return true;
      }),
    leads,
    stop: async () => {
      await sentinel.stop();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

/** How far the data of a server has got; of a replica only while it follows. */
async function offset(server: TestRedis): Promise<string | undefined> {
  const info = String(await server.cli('INFO', 'replication'));
  if (info.includes('master_link_status:down')) return undefined;
  return /(?:slave|master)_repl_offset:(\d+)/.exec(info)?.[1];
}
