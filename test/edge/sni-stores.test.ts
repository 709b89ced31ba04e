import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { secret } from '../../src/core/secret.ts';
import type { SniResolverOptions } from '../../src/index.ts';
import { aclRulesFor, askerAclRulesFor, newerCommands, readerAclRulesFor } from '../../src/store/acl.ts';
import { openStore, type RedisOptions, type Store } from '../../src/store/index.ts';
import { silentLog } from '../store/samples.ts';
import { startCluster, startSentinel } from '../store/servers.ts';
import { canary } from '../support/canaries.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { addDomain, hold } from './sni-held.ts';
import { prefix, type ServedSite, serve } from './sni-kit.ts';

const masterKey = randomBytes(32).toString('base64');
const name = 'www.kinds.test';
const id = `kinds.test/${name}/ec`;
const rules = `${readerAclRulesFor(prefix, newerCommands)} ${askerAclRulesFor(prefix)}`;

/** What an ACL takes to have the user of a resolver. */
function asker(password: string): readonly string[] {
  return ['ACL', 'SETUSER', 'acme-sni', `>${password}`, ...rules.split(' ')];
}

async function open(redis: RedisOptions): Promise<Store> {
  const masterKeys = [secret<Uint8Array>(Buffer.from(masterKey, 'base64'))];
  const store = await openStore({ redis, masterKeys, clock: systemClock, log: silentLog });
  onTestFinished(() => store.close());
  return store;
}

function resolverAt(redis: SniResolverOptions['redis']): Promise<ServedSite> {
  return serve({ redis, masterKey, onDemand: true, logLevel: 'error' });
}

/** The next generation of the certificate, until the resolver shows it. */
async function change(store: Store, { shown }: ServedSite): Promise<void> {
  let fingerprint = '';
  await until('it can be written', async () => {
    // A write that no replica has is refused, and may be there all the same.
    const generation = ((await store.certificates.lineage(id))?.generations.at(-1) ?? 0) + 1;
    fingerprint = await hold(store, { id, of: 'kinds.test', names: [name], generation });
    return true;
  });
  await until('it is live', async () => (await shown(name)) === fingerprint);
}

/** A change is shown, and a host that a client asks for is told. */
async function works(store: Store, site: ServedSite): Promise<void> {
  await addDomain(store, 'kinds.test');
  await change(store, site);
  await change(store, site);
  const told: string[] = [];
  onTestFinished(store.hostAsks.hear((host) => told.push(host)));
  let turn = 0;
  await until('the store hears of a host', async () => {
    turn += 1;
    await site.look(`n${turn}.asked.test`);
    return told.some((host) => host.endsWith('.asked.test'));
  });
}

test('a resolver shows what a cluster of three holds, and tells it of hosts', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const password = canary();
  for (const node of cluster.nodes) await node.cli(...asker(password));
  const store = await open({ cluster: cluster.endpoints });
  await works(store, await resolverAt({ cluster: cluster.endpoints, username: 'acme-sni', password }));
});

test('over TLS, as a user of the least rights, beside an agent of the least rights', async () => {
  const [own, password] = [canary(), canary()];
  const aclFile = join(testFolder('sni-tls'), 'users.acl');
  const users = [
    'user default off',
    `user acme-agent >${own} ${aclRulesFor(prefix, newerCommands)}`,
    `user acme-sni >${password} ${rules}`,
  ];
  writeFileSync(aclFile, `${users.join('\n')}\n`, { mode: 0o600 });
  const redis = await startRedis({ tls: true, aclFile, user: { name: 'acme-agent', password: own } });
  onTestFinished(() => redis.stop());
  const at = { url: `rediss://127.0.0.1:${redis.port}`, tls: { caPem: redis.ca } };
  const store = await open({ ...at, username: 'acme-agent', password: secret(own) });
  await works(store, await resolverAt({ ...at, username: 'acme-sni', password }));
});

test('through a failover that Sentinel makes it shows what it has, and then what the promoted replica holds', async () => {
  const servers = await startSentinel();
  onTestFinished(() => servers.stop());
  const password = canary();
  for (const server of [servers.master, servers.replica]) await server.cli(...asker(password));
  const { sentinels } = servers;
  const store = await open({ sentinels });
  const site = await resolverAt({ sentinels, username: 'acme-sni', password });
  await works(store, site);
  const before = await site.shown(name);
  await servers.leads(servers.master);
  await servers.master.kill('SIGKILL');
  await until('it is seen to be away', async () => site.resolver.stats().isStoreAway);
  for (let turn = 0; turn < 3; turn++)
    if ((await site.shown(name)) !== before) throw new Error('it shows something else');
  await change(store, site);
});
