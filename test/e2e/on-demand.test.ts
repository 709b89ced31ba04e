import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { askerAclRulesFor, newerCommands, readerAclRulesFor } from '../../src/store/acl.ts';
import { prefix, serve } from '../edge/sni-kit.ts';
import { agentSite } from '../support/agent.ts';
import { canary } from '../support/canaries.ts';
import { startPebble } from '../support/pebble.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/process.ts';
import { startRedis } from '../support/redis.ts';
import { testFolder } from '../support/run-folder.ts';
import { accepted, hostsConfig, hostsSite, keepUntilEnd, proxyBefore } from './given.ts';

const keep = keepUntilEnd();

/** A platform that permits all but what begins with "no", and the hosts that it was asked about. */
async function startPlatform() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://platform');
    const host = searchParams.get('domain') ?? '';
    asked.push(host);
    const isPermitted = searchParams.get('token') === 'of-ours' && !host.startsWith('no');
    response.writeHead(isPermitted ? 204 : 404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  keep({ stop: async () => void server.close() });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { asked, url: `http://127.0.0.1:${port}/allowed?token=of-ours` };
}

/** Two agents on one Redis, and a user there that may show certificates and tell of hosts, and no more. */
async function startAgents(onDemand: object) {
  const password = canary();
  const rules = `${readerAclRulesFor(prefix, newerCommands)} ${askerAclRulesFor(prefix)}`;
  const aclFile = join(testFolder('on-demand'), 'users.acl');
  const users = ['user default on nopass ~* &* +@all', `user acme-sni >${password} ${rules}`];
  writeFileSync(aclFile, `${users.join('\n')}\n`, { mode: 0o600 });
  const pebble = keep(await startPebble());
  const proxy = keep(await proxyBefore(pebble));
  const redis = keep(await startRedis({ aclFile }));
  const url = `redis://127.0.0.1:${redis.port}`;
  const network = { allowPrivate: ['127.0.0.0/8'] };
  const options = { pebble, proxy, hosts: [], config: { redis: { url }, onDemand, network } };
  const site = await hostsSite(options);
  keep(await site.start());
  const masterKey = { file: join(site.folder, 'data', 'master.key') };
  const other = await agentSite({}, 'second');
  other.configure({
    ...hostsConfig(site, options),
    http01: { port: await freePort(), address: '127.0.0.1' },
    masterKey,
  });
  keep(await other.start());
  const resolver = { redis: { url, username: 'acme-sni', password }, masterKey, onDemand: true } as const;
  return { site, proxy, resolver };
}

it('K7 an unknown host gets a fallback at its first handshake, soon the real certificate, and one order, however many ask', async () => {
  const platform = await startPlatform();
  const { site, proxy, resolver } = await startAgents({ allow: ['*.shops.test'], permission: platform.url });
  const servers = [await serve(resolver), await serve(resolver)];
  const isOurs = { subjectAltName: 'DNS:new.shops.test' };
  const first = await Promise.all(
    Array.from({ length: 20 }, (_, index) => servers[index % 2]?.look('new.shops.test')),
  );
  expect(first.every((one) => one?.subjectAltName === isOurs.subjectAltName)).toBe(true);
  for (const { look } of servers)
    await until('the real certificate is shown', async () => {
      const shown = await look('new.shops.test');
      expect(shown).toMatchObject(isOurs);
      return /Pebble/.test(shown.issuer);
    });
  expect(accepted(proxy, 'newOrder')).toBe(1);
  expect(platform.asked).toEqual(['new.shops.test']);
  const hosts = await site.json('hosts', 'list');
  expect(hosts).toMatchObject({ hosts: [{ name: 'new.shops.test', domain: 'new.shops.test' }] });
});

it('K7 a host that is not allowed or not permitted keeps its fallback, is not ordered, and why says so', async () => {
  const platform = await startPlatform();
  const { site, proxy, resolver } = await startAgents({ allow: ['*.shops.test'], permission: platform.url });
  const { look } = await serve(resolver);
  for (const name of ['no.shops.test', 'a.b.shops.test'])
    expect(await look(name)).toMatchObject({ subjectAltName: `DNS:${name}` });
  await until('why tells of the platform', async () => {
    const { stdout } = await site.ask('why', 'no.shops.test');
    return stdout.includes('the platform does not permit it: it answered 404');
  });
  expect((await site.ask('why', 'a.b.shops.test')).stdout).toContain('no pattern of onDemand.allow');
  expect(platform.asked).toEqual(['no.shops.test']);
  expect((await look('no.shops.test')).issuer).not.toContain('Pebble');
  expect(accepted(proxy, 'newOrder')).toBe(0);
});
